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

        Assert.That(Numbers(await node.ErrorQueue.ReadAsync(599)), Is.EqualTo(Enumerable.Range(0, Reports).Where(i => i != 299)));
        Assert.That(Numbers(await node.ErrorQueue.DrainAsync(400)), Is.EqualTo(Enumerable.Range(0, 401).Where(i => i != 299)));
        Assert.That(Numbers(await node.ErrorQueue.DrainAsync(1000)), Is.EqualTo(Enumerable.Range(401, 199)));
        Assert.That(await _redis.CommandAsync("EXISTS", key), Is.Zero);
    }

    [Test]
    public async Task A_drain_that_is_cancelled_before_it_begins_takes_nothing()
    {
        var node = await StartAsync();
        await node.ErrorQueue.AddAsync(Report(1));

        await Assert.CatchAsync<OperationCanceledException>(
            async () => await node.ErrorQueue.DrainAsync(1, new CancellationToken(canceled: true)));

        Assert.That(await node.ErrorQueue.CountAsync(), Is.EqualTo(1));
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
        await Assert.CatchAsync<TransportException>(async () => await node.ErrorQueue.DrainAsync(1));
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

    private static ErrorReport Report(int number) => new()
    {
        Topic = "errors.made",
        Status = 500,
        Error = $"{number}",
        MessageId = $"n.{number}",
        Sender = "n",
        Node = "m",
        Time = DateTimeOffset.UnixEpoch.AddSeconds(number),
    };

    private static IEnumerable<int> Numbers(IEnumerable<ErrorReport> reports) => reports.Select(r => int.Parse(r.Error));
}
