using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Errors;

/// <summary>The queue of error reports in Redis, which all nodes share.</summary>
[TestFixture("Native", "mesh:errors")]
[TestFixture("Gilmour", "gilmour.errorqueue")]
public class RedisErrorQueueTests(string wire, string key)
{
    private static readonly RequestTopic<string, string> s_fails = new("errors.fails");

    private readonly List<TestNode> _nodes = [];
    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopAllAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        _nodes.Clear();
        await _redis.DisposeAsync();
    }

    [Test]
    public async Task What_one_node_adds_another_reads_with_nothing_lost()
    {
        var (one, two) = (await StartAsync(), await StartAsync());
        var report = Report(1) with
        {
            Kind = MessageKind.Signal,
            Group = "g",
            Data = "ä",
            DataBytes = 2,
            Exception = "System.Exception",
            DataEncoding = "utf-8",
        };

        Assert.That(await one.ErrorQueue.AddAsync(report), Is.Zero);

        Assert.That(await two.ErrorQueue.ReadAsync(1), Is.EqualTo([report]));
        Assert.That(await _redis.CommandAsync("LLEN", key), Is.EqualTo(1L));
    }

    [Test]
    public async Task Many_who_add_at_once_count_each_dropped_report_exactly_once()
    {
        const int Capacity = 50;
        const int Reports = 400;
        TestNode[] nodes =
        [
            await StartAsync(ErrorPolicy.Queue, ("Errors:QueueCapacity", $"{Capacity}")),
            await StartAsync(ErrorPolicy.Queue, ("Errors:QueueCapacity", $"{Capacity}")),
        ];

        var dropped = await Task.WhenAll(Enumerable.Range(0, Reports).Select(i => nodes[i % 2].ErrorQueue.AddAsync(Report(i)).AsTask()));

        Assert.That(dropped.Sum(), Is.EqualTo(Reports - Capacity));
        Assert.That(await nodes[0].ErrorQueue.CountAsync(), Is.EqualTo(Capacity));
    }

    [Test]
    public async Task More_than_one_command_fetches_is_read_and_drained_in_order()
    {
        const int Reports = 600;
        var node = await StartAsync(ErrorPolicy.Ignore); // a loss is reported, and reports would go into the queue
        for (var i = 0; i < Reports; i++)
        {
            await node.ErrorQueue.AddAsync(Report(i));
        }

        await _redis.CommandAsync("LSET", key, "-300", "garbage");

        // In the list that is shared with foreign programs it is a report of its own.
        var isReport = wire == "Gilmour";
        int[] all = [.. Enumerable.Range(0, Reports).Where(i => i != 299 || isReport)];
        Assert.That(Numbers(await node.ErrorQueue.ReadAsync(all.Length)), Is.EqualTo(all));
        Assert.That(Numbers(await node.ErrorQueue.EmptyAsync(400)), Is.EqualTo(all[..400]));
        Assert.That(Numbers(await node.ErrorQueue.EmptyAsync(1000)), Is.EqualTo(all[400..]));
        Assert.That(await _redis.CommandAsync("EXISTS", key), Is.Zero);
    }

    [Test]
    public async Task Taking_that_is_cancelled_before_it_begins_takes_nothing()
    {
        var node = await StartAsync();
        await node.ErrorQueue.AddAsync(Report(1));

        await Assert.CatchAsync<OperationCanceledException>(
            async () => await node.ErrorQueue.TakeAsync(1, new CancellationToken(canceled: true)));

        Assert.That(await node.ErrorQueue.TakeAsync(1), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_report_whose_taker_is_gone_is_there_again_when_its_time_is_over()
    {
        var (one, two) = (await StartAsync(), await StartAsync());
        await one.ErrorQueue.AddAsync(Report(1));
        var first = (await one.ErrorQueue.TakeAsync(1, TimeSpan.FromMilliseconds(100))).Single();
        await one.StopAsync();

        IReadOnlyList<TakenReport> taken = [];
        await Failsafe.UntilAsync(async () => (taken = await two.ErrorQueue.TakeAsync(1)).Count == 1);

        Assert.That(await two.ErrorQueue.AcknowledgeAsync(first), Is.False, "another has it");
        Assert.That(await two.ErrorQueue.AcknowledgeAsync(taken[0]), Is.True);
        Assert.That(await _redis.CommandAsync("DBSIZE"), Is.EqualTo(await KeysOfNodesAsync()), "no lease stays behind");
    }

    [Test]
    public async Task A_taken_report_is_taken_on_every_node_and_stays_readable_for_other_programs()
    {
        var (one, two) = (await StartAsync(), await StartAsync());
        await one.ErrorQueue.AddAsync(Report(1));
        await one.ErrorQueue.AddAsync(Report(2));
        var taken = (await one.ErrorQueue.TakeAsync(1)).Single();

        Assert.That(await two.ErrorQueue.TakeAsync(taken.Report.Id, TimeSpan.FromMinutes(1)), Is.Null);
        Assert.That(Numbers((await two.ErrorQueue.TakeAsync(9)).Select(t => t.Report)), Is.EqualTo([2]));
        Assert.That(await _redis.CommandAsync("LLEN", key), Is.EqualTo(2L));

        await _redis.CommandAsync("RPOP", key); // another program has emptied it
        Assert.That(await one.ErrorQueue.AcknowledgeAsync(taken), Is.False);
    }

    [Test]
    public async Task Of_many_taken_reports_the_first_that_is_free_is_found()
    {
        var node = await StartAsync(ErrorPolicy.Ignore);
        for (var i = 0; i < 300; i++)
        {
            await node.ErrorQueue.AddAsync(Report(i));
        }

        Assert.That(await node.ErrorQueue.TakeAsync(290), Has.Count.EqualTo(290));
        Assert.That(Numbers((await node.ErrorQueue.TakeAsync(1)).Select(t => t.Report)), Is.EqualTo([290]));
        Assert.That(await node.ErrorQueue.TakeAsync(1000), Has.Count.EqualTo(9));
        Assert.That(await node.ErrorQueue.TakeAsync(1000), Is.Empty);
    }

    [Test]
    public async Task Without_Redis_a_report_is_counted_as_lost_and_a_reader_is_told_why()
    {
        var node = await StartAsync();
        await _redis.KillAsync();

        await node.Bus.TryRequestAsync(s_fails, "x");
        await Failsafe.UntilAsync(() => node.Log.Has(LogLevel.Error, "An error report about errors.fails"));

        var told = await Assert.CatchAsync<TransportException>(async () => await node.ErrorQueue.ReadAsync(1));
        Assert.That(told!.Message, Does.Contain(key).And.Contain("read"));
        await Assert.CatchAsync<TransportException>(async () => await node.ErrorQueue.EmptyAsync(1));
        await Assert.CatchAsync<TransportException>(async () => await node.ErrorQueue.CountAsync());
    }

    [Test]
    public async Task After_the_stop_a_reader_is_told_so()
    {
        var node = await StartAsync();
        await node.StopAsync();

        await Assert.CatchAsync<TransportException>(async () => await node.ErrorQueue.CountAsync());
    }

    [Test]
    public async Task A_key_that_holds_something_else_is_told_and_left_alone()
    {
        await _redis.CommandAsync("SET", key, "not a list");
        var node = await StartAsync();

        var told = await Assert.CatchAsync<TransportException>(async () => await node.ErrorQueue.AddAsync(Report(1)));

        Assert.That(told!.Message, Does.Contain(key).And.Contain("WRONGTYPE"));
        Assert.That(await _redis.CommandAsync("GET", key), Is.EqualTo("not a list"));
    }

    private async Task<TestNode> StartAsync(ErrorPolicy policy = ErrorPolicy.Queue, params (string Key, string Value)[] settings)
    {
        var node = await TestNode.StartAsync(
            mesh => mesh.AddRedisTransport(),
            [
                ("Transport", "Redis"), ("Redis:Configuration", _redis.Address), ("Redis:Wire", wire),
                ("ErrorPolicy", $"{policy}"), ("DrainTimeout", "00:00:01"), .. settings,
            ]);
        _nodes.Add(node);
        return node;
    }

    private async Task<long> KeysOfNodesAsync()
    {
        var cursorAndKeys = (object[])(await _redis.CommandAsync("SCAN", "0", "COUNT", "1000"))!;
        return ((object[])cursorAndKeys[1]).Count(k => !((string)k).Contains("lease", StringComparison.Ordinal));
    }

    private static ErrorReport Report(int number) => new()
    {
        Id = $"r{number}",
        Topic = "errors.made",
        Status = 500,
        Error = $"{number}",
        MessageId = $"n.{number}",
        Sender = "n",
        Node = "m",
        Time = DateTimeOffset.UnixEpoch.AddSeconds(number),
    };

    private static IEnumerable<int> Numbers(IEnumerable<ErrorReport> reports) =>
        reports.Select(r => r.Data == "garbage" ? 299 : int.Parse(r.Error));
}
