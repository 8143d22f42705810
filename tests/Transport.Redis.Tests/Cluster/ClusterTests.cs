using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Cluster;

/// <summary>What a cluster of three masters changes, beside what the suite asks on it.</summary>
public sealed class ClusterTests
{
    private static readonly RequestTopic<int, int> s_work = new("work");

    private RedisCluster _cluster = null!;

    [SetUp]
    public async Task StartAsync() => _cluster = await SharedServers.ClusterAsync();

    [TearDown]
    public async Task FlushAsync() => await _cluster.FlushAsync();

    [Test]
    public async Task A_handler_of_any_topic_is_found_whatever_master_its_channel_is_on()
    {
        var topics = Enumerable.Range(0, 60).Select(i => new RequestTopic<int, int>($"topic{i}")).ToArray();
        await using var server = await StartNodeAsync(
            mesh => Array.ForEach(topics, topic => mesh.AddHandler(topic, (input, _) => input + 1)));
        await using var caller = await StartNodeAsync();

        var answers = await Task.WhenAll(topics.Select((topic, i) => caller.Bus.RequestAsync(topic, i)));

        Assert.That(answers, Is.EqualTo(Enumerable.Range(1, 60)));
    }

    [Test]
    public async Task A_node_that_died_and_is_still_announced_does_not_get_the_request()
    {
        await using var caller = await StartNodeAsync();
        foreach (var master in _cluster.Masters)
        {
            // The one that has the slot takes it; the others say where to go.
            await TryAsync(
                master, "HSET", "mesh:member:dead", "v", "1:1:0", "r:work:_default", "",
                "node", """{"Id":"dead","Name":"dead","Host":"host","ProcessId":1,"Started":1,"Frames":1,"IsSharded":true}""");
            await TryAsync(master, "ZADD", "mesh:members", $"{DateTimeOffset.UtcNow.AddSeconds(15).ToUnixTimeMilliseconds()}", "dead");
        }

        Assert.That((await caller.Bus.ListNodesAsync()).Select(n => n.Id), Does.Contain("dead"));
        var reply = await caller.Bus.TryRequestAsync(s_work, 1);

        Assert.That(
            (reply.Status, reply.Failure?.NotProcessed),
            Is.EqualTo((StatusCode.Unavailable, (bool?)true)),
            "it may come back, and did not get it");
    }

    [Test]
    public async Task Requests_go_only_to_the_masters_that_hold_the_two_inboxes()
    {
        const int Requests = 50;
        var body = new string('x', 100_000);
        var news = new SignalTopic<string>("cluster.news");
        var measure = new RequestTopic<string, int>("cluster.measure");
        await using var server = await RedisNode.StartAsync(
            _cluster.Configuration,
            mesh => mesh.AddHandler(measure, (text, _) => text.Length).AddHandler(news, (_, _) => Task.CompletedTask));
        await using var caller = await RedisNode.StartAsync(_cluster.Configuration);
        var inboxes = await Task.WhenAll(_cluster.Masters.Select(async master =>
            await CountAsync(master, $"mesh:inbox:{server.Id}") + await CountAsync(master, $"mesh:inbox:{caller.Id}")));
        var other = _cluster.Masters[Array.IndexOf(inboxes, 0)];
        await caller.Bus.RequestAsync(measure, body).InTime();

        var before = other.BytesRead;
        for (var i = 0; i < Requests; i++)
        {
            Assert.That(await caller.Bus.RequestAsync(measure, body).InTime(), Is.EqualTo(body.Length));
        }

        var ofRequests = other.BytesRead - before;
        for (var i = 0; i < Requests; i++)
        {
            await caller.Bus.SignalAsync(news, body).InTime();
        }

        await Failsafe.UntilAsync(() => other.BytesRead - before - ofRequests >= Requests * body.Length);
        await TestContext.Out.WriteLineAsync($"Of {Requests * body.Length} bytes of requests the third master has read {ofRequests}.");
        Assert.That(ofRequests, Is.LessThan(Requests * body.Length / 10), "gossip and beats; signals, as above, go to all");
    }

    [Test]
    public async Task A_database_that_a_cluster_does_not_have_is_refused_at_start()
    {
        var refusal = await Assert.CatchAsync(() => StartNodeAsync(null, "defaultDatabase=3"));

        Assert.That(refusal!.Message, Does.Contain("defaultDatabase").And.Contain("Redis:Configuration"));
    }

    [Test]
    public async Task A_node_whose_inbox_moves_to_another_master_is_reached_again()
    {
        await using var server = await StartNodeAsync(mesh => mesh.AddHandler(s_work, (input, _) => input + 1));
        await using var caller = await StartNodeAsync();
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));
        var inbox = $"mesh:inbox:{server.Bus.DescribeNode().Id}";
        var slot = $"{await _cluster.Masters[0].CommandAsync("CLUSTER", "KEYSLOT", inbox)}";
        var from = await OwnerAsync(slot);
        var to = _cluster.Masters.First(master => master != from);

        await MoveAsync(slot, from, to);
        try
        {
            var watch = Stopwatch.StartNew();
            await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_work, 2)).IsSuccess);
            await TestContext.Out.WriteLineAsync($"A request succeeded {watch.Elapsed.TotalSeconds:0.0} s after the slot had moved.");

            Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(10)));
            Assert.That((await to.CommandAsync("PUBSUB", "SHARDCHANNELS", inbox)) as object?[], Has.Length.EqualTo(1), "heard there now");
        }
        finally
        {
            await MoveAsync(slot, to, from);
        }
    }

    [Test]
    public async Task A_master_that_stands_still_is_noticed_although_the_inbox_is_on_another()
    {
        await using var cluster = await RedisCluster.StartAsync(nodeTimeout: 60_000);
        await using var node = await RedisNode.StartAsync(cluster.Configuration);
        foreach (var master in cluster.Masters)
        {
            await Failsafe.UntilAsync(async () => await CountAsync(master, $"mesh:beat:{node.Id}:*") == 1);
        }

        var inboxes = await Task.WhenAll(cluster.Masters.Select(master => CountAsync(master, $"mesh:inbox:{node.Id}")));
        var still = cluster.Masters[Array.IndexOf(inboxes, 0)];
        var began = new TaskCompletionSource<(RedisGap Gap, TimeSpan After)>();
        var whole = new TaskCompletionSource();
        var watch = Stopwatch.StartNew();
        node.Gaps.Began += (_, gap) => began.TrySetResult((gap, watch.Elapsed));
        node.Gaps.Ended += (_, _) => whole.TrySetResult();

        await still.FreezeAsync();
        var first = await began.Task.InTime();
        await TestContext.Out.WriteLineAsync($"Noticed after {first.After.TotalSeconds:0.0} s: {first.Gap.Reason}");
        await whole.Task.InTime();
        Assert.That(node.Health.State, Is.EqualTo(TransportState.Degraded), "what is left moves messages");
        await still.ThawAsync();

        Assert.That(first.Gap.Reason, Does.Contain(still.Address));
        Assert.That(first.After, Is.LessThan(TimeSpan.FromSeconds(10)), "five seconds, and a busy machine");
        await Failsafe.UntilAsync(async () =>
            await CountAsync(still, $"mesh:beat:{node.Id}:*") == 1 && node.Health.State == TransportState.Healthy);
    }

    [Test]
    public async Task Messages_move_while_a_master_is_dead_that_has_neither_inbox()
    {
        await using var cluster = await RedisCluster.StartAsync(nodeTimeout: 60_000);
        await using var server = await RedisNode.StartAsync(
            cluster.Configuration, mesh => mesh.AddHandler(s_work, (input, _) => input + 1));
        await using var caller = await RedisNode.StartAsync(cluster.Configuration);
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));
        var inboxes = await Task.WhenAll(cluster.Masters.Select(async master =>
            await CountAsync(master, $"mesh:inbox:{server.Id}") + await CountAsync(master, $"mesh:inbox:{caller.Id}")));

        await cluster.Masters[Array.IndexOf(inboxes, 0)].KillAsync();
        await Failsafe.UntilAsync(() => caller.Health.State == TransportState.Degraded);
        var replies = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => caller.Bus.TryRequestAsync(s_work, i))).InTime();

        Assert.That(replies.Where(reply => !reply.IsSuccess).Select(reply => reply.Failure!.Message), Is.Empty);
    }

    private static async Task<int> CountAsync(RedisServer master, string channels) =>
        ((object?[])(await master.CommandAsync("PUBSUB", "SHARDCHANNELS", channels))!).Length;

    // As the tools of Redis do it for a slot without keys: the new owner first, because its claim has to be the newer one.
    private async Task MoveAsync(string slot, RedisServer from, RedisServer to)
    {
        var source = (string)(await from.CommandAsync("CLUSTER", "MYID"))!;
        var target = (string)(await to.CommandAsync("CLUSTER", "MYID"))!;
        await to.CommandAsync("CLUSTER", "SETSLOT", slot, "IMPORTING", source);
        await from.CommandAsync("CLUSTER", "SETSLOT", slot, "MIGRATING", target);
        foreach (var master in _cluster.Masters.OrderByDescending(master => master == to))
        {
            await master.CommandAsync("CLUSTER", "SETSLOT", slot, "NODE", target);
        }
    }

    private async Task<RedisServer> OwnerAsync(string slot)
    {
        var number = int.Parse(slot, CultureInfo.InvariantCulture);
        foreach (var range in (object?[])(await _cluster.Masters[0].CommandAsync("CLUSTER", "SLOTS"))!)
        {
            if (range is object?[] { Length: >= 3 } parts && (long)parts[0]! <= number && number <= (long)parts[1]!)
            {
                var port = (long)((object?[])parts[2]!)[1]!;
                return _cluster.Masters.Single(master => master.Port == port);
            }
        }

        throw new InvalidOperationException($"No master has slot {slot}.");
    }

    private static async Task TryAsync(RedisServer master, params string[] command)
    {
        try
        {
            await master.CommandAsync(command);
        }
        catch (InvalidOperationException moved) when (moved.Message.Contains("MOVED", StringComparison.Ordinal))
        {
            // Another master's slot.
        }
    }

    private Task<TestNode> StartNodeAsync(Action<IServiceMeshBuilder>? configure = null, string more = "") => TestNode.StartAsync(
        mesh =>
        {
            mesh.AddRedisTransport();
            configure?.Invoke(mesh);
        },
        [("Transport", "Redis"), ("Redis:Configuration", $"{_cluster.Configuration},{more}".TrimEnd(','))]).InTime();
}
