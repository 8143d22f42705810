using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>Redis lives, and a connection to it does not. The client has two: one listens, one sends.</summary>
public sealed class DropTests
{
    private static readonly RequestTopic<string, string> s_ask = new("faults.ask");

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [TestCase(false, TestName = "After_two_drops_of_the_listening_connection_in_half_a_second_2000_subscriptions_are_back")]
    [TestCase(true, TestName = "After_two_deaths_of_Redis_in_half_a_second_2000_subscriptions_are_back")]
    public async Task All_subscriptions_come_back(bool redisDies)
    {
        var topics = Enumerable.Range(0, TestLength.Of(2_000, 20_000)).Select(i => new SignalTopic<int>($"faults.signal{i}")).ToArray();
        var heard = new ConcurrentDictionary<int, bool>();
        await using var receiver = await RedisNode.StartAsync(_redis.Address, mesh =>
        {
            foreach (var topic in topics)
            {
                mesh.AddHandler(topic, (number, _) => { heard[number] = true; });
            }
        });
        await using var sender = await RedisNode.StartAsync(_redis.Address);

        for (var drop = 0; drop < 2; drop++)
        {
            // The second comes while the subscriptions of the first are on their way.
            await Failsafe.UntilAsync(DropAsync);
        }

        var waited = Stopwatch.StartNew();
        await Failsafe.UntilAsync(async () =>
        {
            try
            {
                await Task.WhenAll(
                    topics.Select((topic, i) => (topic, i))
                        .Where(t => !heard.ContainsKey(t.i))
                        .Select(t => sender.Bus.SignalAsync(t.topic, t.i)));
            }
            catch (ServiceMeshException)
            {
                // The sender is not back yet.
            }

            return heard.Count == topics.Length;
        });
        await TestContext.Out.WriteLineAsync($"All {topics.Length} were heard {waited.Elapsed.TotalSeconds:0.0} s after the second drop.");
        await Failsafe.UntilAsync(() => receiver.Health.State == TransportState.Healthy);

        // False while there is nothing to drop: the client has not come back from the last time.
        async Task<bool> DropAsync()
        {
            if (redisDies)
            {
                await _redis.KillAsync();
                await _redis.StartAgainAsync();
                return true;
            }

            return (long)(await _redis.CommandAsync("CLIENT", "KILL", "TYPE", "pubsub"))! > 0;
        }
    }

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task Requests_end_at_once_with_an_unknown_outcome_when_the_listening_connection_drops(string wire)
    {
        var held = new Held(heedsToken: false);
        await using var server = await RedisNode.StartAsync(
            _redis.Address, mesh => mesh.AddHandler(s_ask, held.HandleAsync), ("Redis:Wire", wire));
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Redis:Wire", wire), ("Request:Timeout", "00:00:20"));

        var waiting = caller.Bus.TryRequestAsync(s_ask, "first");
        await held.EnteredAsync();
        var watch = Stopwatch.StartNew();
        await caller.KillConnectionAsync(_redis, listening: true);
        var reply = await waiting.InTime();
        var took = watch.Elapsed;
        held.Release();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(reply.Failure!.NotProcessed, Is.False, "it may have been handled, and it was");
            Assert.That(reply.Failure.Message, Does.Contain("not known").Or.Contain("unknown"));
            Assert.That(took, Is.LessThan(TimeSpan.FromSeconds(5)));
            Assert.That(caller.Waiting, Is.Zero);
        }

        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_ask, "second")).IsSuccess);
        await Failsafe.UntilAsync(() => caller.Health.State == TransportState.Healthy);
        Assert.That(
            caller.Log.Lines.Count(line => line.Contains("to Redis is gone", StringComparison.Ordinal)),
            Is.EqualTo(1), "one gap, told once");
        Assert.That(caller.Log.Has(LogLevel.Warning, "back"), "and its end");
    }

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task Without_the_sending_connection_a_reply_that_is_awaited_still_comes(string wire)
    {
        var held = new Held(heedsToken: false);
        await using var server = await RedisNode.StartAsync(
            _redis.Address, mesh => mesh.AddHandler(s_ask, held.HandleAsync), ("Redis:Wire", wire));
        await using var caller = await RedisNode.StartAsync(
            $"{_redis.Address},protocol=resp2", null, ("Redis:Wire", wire), ("Request:Timeout", "00:00:20"));

        var waiting = caller.Bus.TryRequestAsync(s_ask, "first");
        await held.EnteredAsync();
        await caller.KillConnectionAsync(_redis, listening: false);
        held.Release();
        var reply = await waiting.InTime();

        Assert.That(reply.Value, Is.EqualTo("first"), reply.Failure?.Message);
        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_ask, "second")).IsSuccess);
        await Failsafe.UntilAsync(() => caller.Health.State == TransportState.Healthy);
        Assert.That(caller.Waiting, Is.Zero);
    }

    [Test]
    public async Task Without_Redis_sending_fails_at_once_and_says_that_nothing_was_sent()
    {
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Request:Timeout", "00:00:20"));
        await _redis.KillAsync();
        await Failsafe.UntilAsync(() => caller.Health.State != TransportState.Healthy);

        var watch = Stopwatch.StartNew();
        var reply = await caller.Bus.TryRequestAsync(s_ask, "anybody").InTime();
        var signal = await Assert.CatchAsync<ServiceMeshException>(
            () => caller.Bus.SignalAsync(new SignalTopic<string>("faults.news"), "anybody"));
        var took = watch.Elapsed;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(reply.Failure!.NotProcessed, Is.True);
            Assert.That(reply.Failure.Message, Does.Contain("Redis"));
            Assert.That(signal!.Message, Does.Contain("Redis"));
            Assert.That(took, Is.LessThan(TimeSpan.FromSeconds(2)));
        }
    }
}
