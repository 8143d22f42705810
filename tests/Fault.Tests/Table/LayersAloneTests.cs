using System.Diagnostics;
using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// Each layer while the others are turned off: what it does for the caller, counted at the servers. The timeouts alone are in
/// <see cref="OneServerTests"/>.
/// </summary>
[CancelAfter(30_000)]
public sealed class LayersAloneTests
{
    private static readonly (string, string)[] s_inTurn = [("Services:weather:Balancer", "RoundRobin")];
    private static readonly (string, string)[] s_noRetries = [("Retry:Attempts", "1")];
    private static readonly (string, string)[] s_noBreaker = [("CircuitBreaker:MinimumRequestThreshold", "1000000")];
    private static readonly (string, string)[] s_noEjection = [("Ejection:MostEjected", "0")];

    [Test]
    public async Task Retries_hide_a_broken_server_and_cost_one_attempt_each([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(kind, servers.All, [.. s_inTurn, .. s_noBreaker, .. s_noEjection]);

        var seen = await AskInTurnAsync(caller, 60, cancellationToken);

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
        Assert.That(servers.Broken.Attempts, Is.GreaterThanOrEqualTo(15));
        Assert.That(servers.Log.Attempts, Is.EqualTo(60 + servers.Broken.Attempts));
    }

    [Test]
    public async Task Retries_end_with_their_budget([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            [.. s_inTurn, .. s_noBreaker, .. s_noEjection, ("RetryBudget:Ratio", "0.05"), ("RetryBudget:PerSecond", "0"), ("RetryBudget:Window", "00:01:00")]);

        var seen = await AskInTurnAsync(caller, 100, cancellationToken);

        // A twentieth of a hundred requests may be sent again; of the third that meets the broken server the rest fails.
        Assert.That(servers.Log.Attempts - seen.Count, Is.LessThanOrEqualTo(5).And.GreaterThanOrEqualTo(3));
        Assert.That(seen.Count(s => s.Status == 500), Is.EqualTo(servers.Broken.Attempts - (servers.Log.Attempts - seen.Count)));
    }

    [Test]
    public async Task The_breaker_leaves_a_broken_server_alone_and_tries_it_in_between([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind, [server],
            [
                .. s_noRetries, .. s_noEjection,
                ("CircuitBreaker:TrialRequestInterval", "00:00:00.3"), ("CircuitBreaker:CounterSlidingWindow", "00:00:02"), ("CircuitBreaker:CounterUpdateInterval", "00:00:00.02"),
            ]);

        var refused = await caller.AskAsync(isIdempotent: true, cancellationToken);
        while (refused.Status == 500)
        {
            refused = await caller.AskAsync(isIdempotent: true, cancellationToken);
        }

        var (attempts, began) = (server.Attempts, Stopwatch.GetTimestamp());
        var seen = await AskInTurnAsync(caller, 500, cancellationToken);
        var trials = Stopwatch.GetElapsedTime(began) / TimeSpan.FromMilliseconds(300);

        Assert.That(attempts, Is.GreaterThanOrEqualTo(10), "as many as it takes to judge");
        Assert.That(server.Attempts - attempts, Is.LessThanOrEqualTo(1 + trials), "one trial in each interval");
        Assert.That(seen.Count(s => s.Status == 500), Is.EqualTo(server.Attempts - attempts));
        Assert.That(refused.Said, Does.Contain("circuit").And.Contain(server.Address));
        Assert.That(refused.Took, Is.LessThan(TimeSpan.FromMilliseconds(250)), "fast, not after a timeout");
        if (kind == CallerKind.HttpClient)
        {
            Assert.That((refused.Exception?.InnerException as CircuitOpenException)?.RetryAfter, Is.Not.Null.And.LessThanOrEqualTo(TimeSpan.FromMilliseconds(300)));
        }
        else
        {
            Assert.That(refused.IsNotProcessed, Is.True);
        }

        server.Fault = Fault.None;
        var mended = Stopwatch.GetTimestamp();
        while (!(await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess)
        {
            await Task.Delay(1, cancellationToken);
        }

        Assert.That(Stopwatch.GetElapsedTime(mended), Is.LessThan(TimeSpan.FromSeconds(3)), "the next trial, not the ten seconds of the open circuit");
    }

    [Test]
    public async Task Ejection_leaves_out_who_fails_and_takes_it_back([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind, servers.All, [.. s_inTurn, .. s_noRetries, .. s_noBreaker, ("Ejection:EjectionTime", "00:00:01"), ("Ejection:LongestEjectionTime", "00:00:01")]);

        // Five failures in a row, which take about fifteen requests in turn; then none for a second.
        var seen = await AskInTurnAsync(caller, 15, cancellationToken);
        while (seen.Count(s => !s.IsSuccess) < 5)
        {
            seen = [.. seen, .. await AskInTurnAsync(caller, 1, cancellationToken)];
        }

        Assert.That((seen.Count(s => !s.IsSuccess), servers.Broken.Attempts), Is.EqualTo((5, 5)));
        servers.Broken.Fault = Fault.None;
        var healed = Stopwatch.GetTimestamp();
        while (servers.Broken.Attempts == 5)
        {
            Assert.That((await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess, Is.True);
        }

        Assert.That(Stopwatch.GetElapsedTime(healed), Is.GreaterThan(TimeSpan.FromSeconds(0.9)).And.LessThan(TimeSpan.FromSeconds(6)));
    }

    [Test]
    public async Task What_is_more_than_the_clients_limit_is_refused_at_once([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(kind, [server], [.. s_noRetries, ("Limits:Concurrency", "4"), ("Limits:ConcurrencyPerEndpoint", "4")]);
        var waiting = Enumerable.Range(0, 4).Select(_ => caller.AskAsync(isIdempotent: true, cancellationToken)).ToArray();
        await UntilAsync(() => server.Executions == 4, cancellationToken);

        var refused = await caller.AskAsync(isIdempotent: true, cancellationToken);
        server.Pause = TimeSpan.Zero;

        Assert.That(refused.Said, Does.Contain("ServiceMesh:Http:Limits:Concurrency"));
        Assert.That(refused.Took, Is.LessThan(TimeSpan.FromSeconds(2)));
        Assert.That((refused.Status, refused.IsNotProcessed, refused.Exception?.InnerException is RequestNotSentException), kind == CallerKind.Bus
            ? Is.EqualTo(((int?)429, true, false))
            : Is.EqualTo(((int?)null, false, true)));
        Assert.That((server.Attempts, waiting.Any(w => w.IsCompleted)), Is.EqualTo((4, false)));
    }

    [Test]
    public async Task Hedging_hides_a_slow_server_within_the_budget([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All, [.. s_inTurn, .. s_noBreaker, .. s_noEjection, ("Retry:HedgeAfter", "00:00:00.05"), ("Timeouts:Attempt", "00:00:10")]);

        var seen = await AskInTurnAsync(caller, 30, cancellationToken);

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
        Assert.That(seen.Select(s => s.Took).Order().ElementAt(28), Is.LessThan(TimeSpan.FromSeconds(3)), "long before the attempt's ten seconds");
        Assert.That(servers.Log.Attempts, Is.LessThanOrEqualTo(30 + 100 + 6).And.GreaterThanOrEqualTo(30 + servers.Broken.Attempts));
    }

    private static async Task<IReadOnlyList<Seen>> AskInTurnAsync(Caller caller, int requests, CancellationToken cancellationToken)
    {
        var seen = new List<Seen>(requests);
        for (var i = 0; i < requests; i++)
        {
            seen.Add(await caller.AskAsync(isIdempotent: true, cancellationToken));
        }

        return seen;
    }

    private static async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (!condition())
        {
            await Task.Delay(1, cancellationToken);
        }
    }
}
