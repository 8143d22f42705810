using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>Three replicas of one service, each a process, and Redis counts what their handlers see.</summary>
public sealed class ReplicaTests
{
    private const int CallerCount = 64;

    private static readonly RequestTopic<int, string> s_work = new("replica.work");
    private static readonly string[] s_names = ["one", "two", "three"];

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [Test]
    public async Task Three_replicas_handle_each_request_exactly_once()
    {
        await using var replicas = await Replicas.StartAsync(_redis);
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Request:Timeout", "00:00:20"));
        var requests = TestLength.Of(30_000, 300_000);

        var outcomes = await Callers.Start(caller.Bus, s_work, CallerCount, requests).EndAsync();
        var handled = await HandledAsync();
        await TestContext.Out.WriteLineAsync(
            string.Join(", ", outcomes.CountBy(o => o.Value ?? "unanswered").Select(share => $"{share.Key}: {share.Value}")));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(outcomes.Where(o => o.Status != StatusCode.Ok), Is.Empty);
            Assert.That(handled.Keys.Order(), Is.EqualTo(Enumerable.Range(1, requests)), "each was handled");
            Assert.That(handled.Where(h => h.Value != 1), Is.Empty, "and only once");
            Assert.That(outcomes.Select(o => o.Value).Distinct(), Is.EquivalentTo(s_names), "and all three took part");
            Assert.That(caller.Waiting, Is.Zero);
        }
    }

    [Test]
    public async Task When_one_replica_is_killed_nothing_fails_but_what_it_had_in_flight()
    {
        await using var replicas = await Replicas.StartAsync(_redis, "--Work", "00:00:00.010");
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Request:Timeout", "00:00:04"));
        var requests = TestLength.Of(10_000, 100_000);

        var callers = Callers.Start(caller.Bus, s_work, CallerCount, requests);
        await Failsafe.UntilAsync(() => callers.Succeeded >= 3_000);
        // One that is kept says for certain whose work is in flight.
        var kept = caller.Bus.TryRequestAsync(s_work, -1);
        string? killed = null;
        await Failsafe.UntilAsync(async () => (killed = (string?)await _redis.CommandAsync("HGET", "by", "-1")) is not null);
        await replicas[Array.IndexOf(s_names, killed)].KillAsync();
        var killedAt = Stopwatch.GetTimestamp();
        var outcomes = await callers.EndAsync();
        var handled = await HandledAsync();
        var by = await HashAsync("by");

        var lost = outcomes.Where(o => o.Status != StatusCode.Ok).ToArray();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(
                (await kept.InTime()).Status,
                Is.EqualTo(StatusCode.DeadlinePassed).Or.EqualTo(StatusCode.Unavailable),
                "what it had in flight is lost");
            Assert.That(lost, Has.Length.LessThanOrEqualTo(CallerCount), "it had no more than one of each caller");
            Assert.That(lost.Where(o => by.TryGetValue(o.Number, out var who) && who != killed), Is.Empty, "all that is lost was with it");
            Assert.That(
                lost.Where(o => !by.ContainsKey(o.Number) && o.Began > killedAt),
                Is.Empty,
                "a request that was sent after its end is not lost");
            Assert.That(lost.Select(o => o.Status).Distinct(), Is.SubsetOf([StatusCode.Unavailable, StatusCode.DeadlinePassed]));
            Assert.That(lost.Where(o => o.Took > TimeSpan.FromSeconds(6)), Is.Empty, "in time");
            Assert.That(handled.Where(h => h.Value != 1), Is.Empty, "what was handled, was handled once");
            Assert.That(
                outcomes.Where(o => o.Status == StatusCode.Ok && by.GetValueOrDefault(o.Number) != o.Value),
                Is.Empty,
                "the replica that answered handled the request");
            Assert.That(
                outcomes.TakeLast(requests / 10).Select(o => o.Value).Distinct(),
                Has.None.EqualTo(killed), "the others do the work");
            Assert.That(caller.Waiting, Is.Zero);
        }
    }

    [Test]
    public async Task When_one_replica_is_killed_every_repeatable_request_gets_its_answer()
    {
        await using var replicas = await Replicas.StartAsync(_redis);
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Request:Timeout", "00:00:20"));
        var requests = TestLength.Of(30_000, 300_000);

        var callers = Callers.Start(
            caller.Bus, new RequestTopic<int, string>("replica.work") { IsIdempotent = true },
            CallerCount, requests);
        await Failsafe.UntilAsync(() => callers.Succeeded >= requests / 3);
        await replicas[0].KillAsync();
        var outcomes = await callers.EndAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(outcomes, Has.Length.EqualTo(requests));
            Assert.That(outcomes.Where(o => o.Status != StatusCode.Ok), Is.Empty);
            Assert.That(outcomes.Max(o => o.Took), Is.LessThan(TimeSpan.FromSeconds(10)));
            Assert.That(caller.Waiting, Is.Zero);
        }
    }

    [Test]
    public async Task A_replica_that_stands_still_beyond_the_deadline_runs_nothing_late_or_twice()
    {
        await using var replicas = await Replicas.StartAsync(_redis);
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Request:Timeout", "00:00:02"));
        var callers = Callers.Start(caller.Bus, s_work, CallerCount);
        await Failsafe.UntilAsync(() => callers.Succeeded >= 1_000);

        await replicas[1].FreezeAsync();
        await Task.Delay(TimeSpan.FromSeconds(5));
        var frozen = callers.Started;
        await replicas[1].ThawAsync();
        await Failsafe.UntilAsync(() => callers.Succeeded >= frozen + 1_000);
        var outcomes = await callers.StopAsync();
        var handled = await HandledAsync();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(handled.Where(h => h.Value != 1), Is.Empty, "no plain request ran twice");
            Assert.That(outcomes.Where(o => o.Took > TimeSpan.FromSeconds(4)), Is.Empty, "in time");
            Assert.That(
                outcomes.Count(o => o.Status != StatusCode.Ok), Is.LessThanOrEqualTo(2 * CallerCount),
                "only what it had, and what was sent before that was noticed");
            Assert.That(callers.Open, Is.Empty);
        }

        // One request at a time may always go to the same member; as many as this need all three.
        var next = 1_000_000;
        await Failsafe.UntilAsync(async () =>
        {
            var replies = await Task.WhenAll(Enumerable.Range(0, CallerCount).Select(_ => caller.Bus.TryRequestAsync(s_work, next++)));
            return replies.Any(reply => reply.Value == s_names[1]);
        });
    }

    private async Task<Dictionary<int, int>> HandledAsync() =>
        (await HashAsync("handled")).ToDictionary(pair => pair.Key, pair => int.Parse(pair.Value, CultureInfo.InvariantCulture));

    private async Task<Dictionary<int, string>> HashAsync(string key) => ((object?[])(await _redis.CommandAsync("HGETALL", key))!)
        .Cast<string>().Chunk(2).ToDictionary(pair => int.Parse(pair[0], CultureInfo.InvariantCulture), pair => pair[1]);

    private sealed class Replicas(ReplicaProcess[] all) : IAsyncDisposable
    {
        public ReplicaProcess this[int index] => all[index];

        public static async Task<Replicas> StartAsync(RedisServer redis, params string[] arguments) =>
            new(await Task.WhenAll(s_names.Select(name => ReplicaProcess.ServeAsync(redis.Address, name, arguments))));

        public async ValueTask DisposeAsync()
        {
            foreach (var replica in all)
            {
                await replica.DisposeAsync();
            }
        }
    }
}
