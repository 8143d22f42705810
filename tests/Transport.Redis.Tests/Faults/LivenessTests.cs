using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>Connections that are open and dead, and those that are killed again and again.</summary>
public sealed class LivenessTests
{
    private static readonly RequestTopic<int, string> s_work = new("faults.work");

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task A_Redis_that_stands_still_is_noticed_within_five_seconds(string wire)
    {
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_work, (number, _) => $"{number}"),
            ("Redis:Wire", wire));
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Redis:Wire", wire), ("Request:Timeout", "00:00:20"));
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo("1"));

        await _redis.FreezeAsync();
        var watch = Stopwatch.StartNew();
        var waiting = caller.Bus.TryRequestAsync(s_work, 2);
        await Failsafe.UntilAsync(() => caller.Health.State != TransportState.Healthy);
        var noticed = watch.Elapsed;
        var reply = await waiting.InTime();
        var ended = watch.Elapsed;
        await _redis.ThawAsync();
        await Failsafe.UntilAsync(() => caller.Health.State == TransportState.Healthy && server.Health.State == TransportState.Healthy);
        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_work, 3)).IsSuccess);
        await TestContext.Out.WriteLineAsync(
            $"Noticed after {noticed.TotalSeconds:0.0} s, the request ended after {ended.TotalSeconds:0.0} s.");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(noticed, Is.LessThan(TimeSpan.FromSeconds(6)), "five seconds and a busy machine");
            Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.Unavailable, (bool?)false)),
                reply.Failure?.Message);
            Assert.That(ended, Is.LessThan(TimeSpan.FromSeconds(6)));
        }
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_member_hears_again_after_each_of_many_killed_connections(bool listening)
    {
        var rounds = TestLength.Of(30, 200);
        var handled = new ConcurrentDictionary<int, int>();
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_work, (number, _) =>
        {
            handled.AddOrUpdate(number, 1, (_, count) => count + 1);
            return $"{number}";
        }));
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        var callers = Callers.Start(caller.Bus, s_work, 16);
        var longest = TimeSpan.Zero;
        for (var round = 0; round < rounds; round++)
        {
            var succeeded = callers.Succeeded;
            await Failsafe.UntilAsync(() => callers.Succeeded > succeeded + 16);
            await Failsafe.UntilAsync(async () =>
            {
                try
                {
                    await server.KillConnectionAsync(_redis, listening);
                    return true;
                }
                catch (InvalidOperationException)
                {
                    return false; // the old one is not gone yet, or the new one is not there
                }
            });
            var killed = Stopwatch.StartNew();
            succeeded = callers.Succeeded;
            await Failsafe.UntilAsync(() => callers.Succeeded > succeeded + 16);
            longest = killed.Elapsed > longest ? killed.Elapsed : longest;
        }

        var outcomes = await callers.StopAsync();
        await TestContext.Out.WriteLineAsync(
            $"{rounds} kills; the longest time until requests succeeded again was {longest.TotalSeconds:0.00} s.");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(callers.Open, Is.Empty);
            Assert.That(handled.Where(h => h.Value > 1), Is.Empty, "no plain request ran twice");
            Assert.That(outcomes.Where(o => o.Took > TimeSpan.FromSeconds(7)), Is.Empty, "in time");
            Assert.That(outcomes.Where(o => o.Status == StatusCode.NotFound), Is.Empty, "the member lives");
            Assert.That(longest, Is.LessThan(TimeSpan.FromSeconds(6)));
        }
    }

    [Test]
    public async Task Many_bodies_of_two_megabytes_stay_within_what_Redis_keeps_for_a_reader()
    {
        var echo = new RequestTopic<string, int>("faults.large");
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(echo, (text, _) => text.Length));
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Request:Timeout", "00:00:30"));
        var text = new string('x', 2_000_000);
        var lostBefore = LostTime.Total;

        var replies = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(async () =>
        {
            var all = new List<Reply<int>>();
            for (var i = 0; i < 3; i++)
            {
                all.Add(await caller.Bus.TryRequestAsync(echo, text));
            }

            return all;
        })));

        // On a machine that stands still for a second, a member may count as silent; nothing else may go wrong there either.
        var isSlow = LostTime.Total - lostBefore > TimeSpan.FromSeconds(1);
        Assert.That(
            replies.SelectMany(r => r).Select(r => r.Failure?.Message).Distinct()
                .Where(why => !isSlow || why?.Contains("has not answered for", StringComparison.Ordinal) is not true),
            Is.EqualTo([(string?)null]));
        Assert.That(server.Log.Lines, Has.None.Contains("to Redis is gone"), "no connection was ended by Redis");
    }

    [Test]
    public async Task A_node_of_another_version_of_the_frames_is_refused_with_a_report()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_work, (number, _) => $"{number}"));
        using var stranger = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync(_redis.Address);
        var told = new TaskCompletionSource<byte[]>();
        await stranger.GetSubscriber().SubscribeAsync(
            StackExchange.Redis.RedisChannel.Sharded("mesh:inbox:stranger"), (_, packet) => told.TrySetResult((byte[])packet!));

        byte[] theirs = [.. ServiceMesh.Links.FrameWriter.Preamble("stranger"), 3, 0, 0, 0, 1, 0, 1];
        theirs[1] = 9;
        await stranger.GetSubscriber().PublishAsync(StackExchange.Redis.RedisChannel.Sharded($"mesh:inbox:{node.Id}"), theirs);

        var refusal = await told.Task.InTime();
        Assert.That(ServiceMesh.Links.FrameReader.ReadPreamble(refusal, new(), out var preamble),
            Is.EqualTo(ServiceMesh.Links.FrameFault.None));
        Assert.That((preamble.Sender, preamble.RefusesVersion), Is.EqualTo((node.Id, true)));
        Assert.That(node.Log.Lines, Has.Some.Contains("stranger").And.Contains("version 9"));
    }

    [Test]
    public async Task A_flood_of_bad_frames_is_counted_and_makes_few_lines()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address);
        using var stranger = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync(_redis.Address);
        var inbox = StackExchange.Redis.RedisChannel.Sharded($"mesh:inbox:{node.Id}");
        var before = node.Log.Lines.Count();

        await Task.WhenAll(Enumerable.Range(0, 5_000).Select(_ => stranger.GetSubscriber().PublishAsync(inbox, "garbage\n")));
        await Failsafe.UntilAsync(() => node.Log.Lines.Any(line => line.Contains("more within a second", StringComparison.Ordinal)));

        Assert.That(node.Log.Lines.Count() - before, Is.LessThan(200));
    }
}
