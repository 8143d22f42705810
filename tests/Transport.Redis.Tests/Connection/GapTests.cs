using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>What is told of a gap, and what is in force after it.</summary>
public sealed class GapTests
{
    private static readonly SignalTopic<int> s_news = new("gap.news");
    private static readonly RequestTopic<int, int> s_ask = new("gap.ask");

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [Test]
    public async Task A_gap_is_counted_timed_and_raised_once_and_health_is_degraded_during_it()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address);
        var (told, metrics) = (new ConcurrentQueue<RedisGap>(), new ConcurrentBag<string>());
        node.Gaps.Began += (_, _) => throw new InvalidOperationException("of the application");
        node.Gaps.Began += (_, gap) => told.Enqueue(gap);
        var ended = new TaskCompletionSource<RedisGap>();
        node.Gaps.Ended += (_, gap) => told.Enqueue(gap);
        node.Gaps.Ended += (_, gap) => ended.SetResult(gap);
        using var listener = Listen(metrics);

        await _redis.KillAsync();
        await Failsafe.UntilAsync(() => !told.IsEmpty);
        var between = node.Health;
        await _redis.StartAgainAsync();
        var gap = await ended.Task.InTime();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(between.State, Is.EqualTo(TransportState.Degraded));
            Assert.That(between.Reason, Does.Contain("Redis"));
            Assert.That(told.Select(g => g.To is null), Is.EqualTo([true, false]), "its beginning and its end");
            Assert.That(told.Select(g => g.From).Distinct().Count(), Is.EqualTo(1));
            Assert.That(gap.To, Is.GreaterThan(gap.From));
            Assert.That(metrics.Order(), Is.EqualTo(["servicemesh.redis.gap.duration", "servicemesh.redis.gaps"]));
            Assert.That(node.Health.State, Is.EqualTo(TransportState.Healthy));
            Assert.That(node.Log.Lines, Has.Some.Contains("A handler of RedisGaps threw"));
        }
    }

    [Test]
    public async Task The_clock_of_Redis_is_measured_again_before_the_gap_ends()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address);
        object? named = null;
        var ended = new TaskCompletionSource();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, own) =>
        {
            if (instrument.Name == "servicemesh.redis.gap.duration" && node.IsOwn(instrument))
            {
                own.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<double>((_, _, _, _) =>
        {
            // The end of the gap waits for this. The new server has lost the name of the clock; measuring gives it one.
            named = Task.Run(() => _redis.CommandAsync("EXISTS", "mesh:clock")).GetAwaiter().GetResult();
            ended.SetResult();
        });
        listener.Start();

        await _redis.KillAsync();
        await Failsafe.UntilAsync(() => node.Health.State == TransportState.Degraded);
        await _redis.StartAgainAsync();
        await ended.Task.InTime();

        Assert.That(named, Is.EqualTo(1L));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task After_a_killed_connection_every_signal_arrives_again_and_none_twice(bool listening)
    {
        var heard = new Inbox<int>();
        await using var subscriber = await RedisNode.StartAsync(
            _redis.Address, mesh => mesh.AddHandler(s_news, heard.ReceiveAsync, handler => handler.Ordered = true));
        await using var sender = await RedisNode.StartAsync(_redis.Address);
        var ended = new TaskCompletionSource<RedisGap>();
        subscriber.Gaps.Ended += (_, gap) => ended.SetResult(gap);

        await subscriber.KillConnectionAsync(_redis, listening);
        var sent = 0;
        while (!ended.Task.IsCompleted)
        {
            await sender.Bus.SignalAsync(s_news, sent++).InTime();
        }

        var after = sent;
        for (; sent < after + 20; sent++)
        {
            await sender.Bus.SignalAsync(s_news, sent).InTime();
        }

        await Failsafe.UntilAsync(() => heard.All.Contains(sent - 1));
        Assert.That(heard.All, Is.Ordered.And.Unique);
        Assert.That(heard.All.Where(number => number >= after), Is.EqualTo(Enumerable.Range(after, 20)));
    }

    [Test]
    public async Task A_handler_that_is_removed_while_Redis_is_away_gets_no_requests_afterwards()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address);
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        var leaving = await node.Bus.SubscribeAsync(s_ask, (input, _) => Task.FromResult(input));
        var ended = new TaskCompletionSource<RedisGap>();
        node.Gaps.Ended += (_, gap) => ended.SetResult(gap);

        await _redis.KillAsync();
        await Failsafe.UntilAsync(() => node.Health.State != TransportState.Healthy);
        await leaving.DisposeAsync().AsTask().InTime();
        var coming = await node.Bus.SubscribeAsync(s_news, (_, _) => Task.CompletedTask).InTime();
        await _redis.StartAgainAsync();
        await ended.Task.InTime();

        await Failsafe.UntilAsync(() => caller.Health.State == TransportState.Healthy);
        Assert.That((await caller.Bus.TryRequestAsync(s_ask, 1).InTime()).Status, Is.EqualTo(StatusCode.NotFound));
        Assert.That((await caller.Bus.SignalAsync(s_news, 1).InTime()).Receivers, Is.EqualTo(1), "and one that was added is there");
        await coming.DisposeAsync();
    }

    [Test]
    public async Task A_subscription_that_Redis_refuses_leaves_nothing_behind()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address);
        var heard = new Inbox<int>();
        await _redis.CommandAsync(
            "ACL", "SETUSER", "default", "resetchannels", "&__Booksleeve_MasterChanged", "&mesh:inbox:*", "&mesh:notices");
        // Redis disconnects a client that loses the right to a channel it is subscribed to: keep those of the client and of the node.
        var refusal = await Assert.CatchAsync(() => node.Bus.SubscribeAsync(s_news, heard.ReceiveAsync));
        Assert.That(refusal!.Message, Does.Contain("channels"));

        var ended = new TaskCompletionSource<RedisGap>();
        node.Gaps.Ended += (_, gap) => ended.SetResult(gap);
        await node.KillConnectionAsync(_redis, listening: true);
        await ended.Task.InTime();
        await _redis.CommandAsync("ACL", "SETUSER", "default", "allchannels");
        await using var allowed = await node.Bus.SubscribeAsync(s_news, heard.ReceiveAsync);
        await node.Bus.SignalAsync(s_news, 7).InTime();
        await node.Bus.SignalAsync(s_news, 8).InTime();

        Assert.That(await heard.NextAsync(2), Is.EquivalentTo([7, 8]), "each once");
    }

    [Test]
    public async Task A_continuation_of_a_verb_may_block_its_thread()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (input, _) => input));
        for (var round = 0; round < 20; round++)
        {
            await node.Bus.SignalAsync(s_news, 1);
            BlockOn(node.Bus.SignalAsync(s_news, 2));
            await node.Bus.RequestAsync(s_ask, 1);
            BlockOn(node.Bus.RequestAsync(s_ask, 2));
            await node.Bus.ListNodesAsync();
            BlockOn(node.Bus.ListNodesAsync());
            var subscription = await node.Bus.SubscribeAsync(s_news, (_, _) => Task.CompletedTask);
            BlockOn(subscription.DisposeAsync().AsTask());
            BlockOn(node.Bus.SignalAsync(s_news, 3));
            await node.ErrorQueue.CountAsync();
            BlockOn(node.ErrorQueue.CountAsync().AsTask());
        }

        static void BlockOn(Task task) =>
            Assert.That(task.Wait(TimeSpan.FromSeconds(15)), Is.True,
                "the client's thread was free to read the answer");
    }

    private static MeterListener Listen(ConcurrentBag<string> metrics)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name.StartsWith("servicemesh.redis", StringComparison.Ordinal))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, _, _) => metrics.Add(instrument.Name));
        listener.SetMeasurementEventCallback<double>((instrument, _, _, _) => metrics.Add(instrument.Name));
        listener.Start();
        return listener;
    }
}
