using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>Redis dies and comes back, again and again, under load.</summary>
public sealed class RestartTests
{
    private const int CallerCount = 64;
    private const int SignalTopics = 20;

    // On a machine with more to do than processors a timer fires late; what never ends, ends at none of these.
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(2);

    private static readonly RequestTopic<int, string> s_work = new("faults.work");

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task Every_request_ends_once_and_in_time_when_Redis_restarts_under_load(string wire)
    {
        var handled = new ConcurrentDictionary<int, int>();
        var heard = new ConcurrentDictionary<int, bool>();
        await using var redis = await RedisServer.StartAsync();
        await using var first = await ResponderAsync(0);
        await using var second = await ResponderAsync(1);
        await using var caller = await RedisNode.StartAsync(redis.Address, null, ("Redis:Wire", wire));

        var ended = 0;
        using var counting = CountEnds(() => Interlocked.Increment(ref ended));
        var callers = Callers.Start(caller.Bus, s_work, CallerCount);
        var rounds = TestLength.Of(3, 30);
        for (var round = 0; round < rounds; round++)
        {
            var (succeeded, failed) = (callers.Succeeded, callers.Failed);
            await Failsafe.UntilAsync(() => callers.Succeeded >= succeeded + (CallerCount * 8));
            await redis.KillAsync();
            await Failsafe.UntilAsync(() => callers.Failed >= failed + CallerCount);
            await redis.StartAgainAsync();
        }

        var beforeLast = callers.Succeeded;
        await Failsafe.UntilAsync(() => callers.Succeeded >= beforeLast + CallerCount);
        var outcomes = await callers.StopAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(callers.Open, Is.Empty, "each ended");
            Assert.That(ended, Is.EqualTo(outcomes.Length), "and ended once");
            Assert.That(outcomes.Where(o => o.Status == StatusCode.Ok && o.Value != $"{o.Number}"), Is.Empty, "with its own answer");
            Assert.That(
                outcomes.Select(o => o.Status).Distinct(),
                Is.SubsetOf([StatusCode.Ok, StatusCode.Unavailable, StatusCode.NotFound, StatusCode.DeadlinePassed]),
                "or with a typed failure");
            Assert.That(outcomes.Where(o => o.Took > s_timeout + s_late), Is.Empty, "in time");
            Assert.That(
                outcomes.Count(o => o.Status == StatusCode.DeadlinePassed),
                Is.LessThan(rounds * CallerCount / 2),
                "at once, not at the deadline, when its reply was lost");
            Assert.That(handled.Where(h => h.Value > 1), Is.Empty, "no request was handled twice");
            Assert.That((caller.Waiting, first.Waiting, second.Waiting), Is.EqualTo((0, 0, 0)), "the tables are empty");
        }

        // Both responders hear again, not just the one that came back first.
        await Failsafe.UntilAsync(async () =>
        {
            for (var i = 0; i < SignalTopics; i++)
            {
                await caller.Bus.SignalAsync(SignalTopic(i), i);
            }

            return heard.Count == SignalTopics * 2;
        });

        Task<RedisNode> ResponderAsync(int responder) => RedisNode.StartAsync(
            redis.Address,
            mesh =>
            {
                mesh.AddHandler(s_work, (work, _) =>
                {
                    handled.AddOrUpdate(work, 1, (_, times) => times + 1);
                    return $"{work}";
                });
                for (var i = 0; i < SignalTopics; i++)
                {
                    var topic = i;
                    mesh.AddHandler(SignalTopic(topic), (_, _) => { heard[(responder * SignalTopics) + topic] = true; });
                }
            },
            ("Redis:Wire", wire));
    }

    // The bus counts a request where it settles it.
    private static MeterListener CountEnds(Action ended)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "messaging.client.sent.messages")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag is { Key: "messaging.destination.name", Value: "faults.work" })
                {
                    ended();
                }
            }
        });
        listener.Start();
        return listener;
    }

    private static SignalTopic<int> SignalTopic(int number) => new($"faults.signal{number}");
}
