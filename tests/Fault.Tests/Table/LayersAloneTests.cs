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
    private static readonly (string, string)[] s_noEjection = [("Ejection:MaxEjected", "0")];
    private static readonly TimeSpan s_atOnce = TimeSpan.FromMilliseconds(300); // no timeout of these tests is as short

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
            [.. s_inTurn, .. s_noBreaker, .. s_noEjection, .. Budget("0.05")]);

        var seen = await AskInTurnAsync(caller, 100, cancellationToken);

        // A twentieth of a hundred requests may be sent again; of the third that meets the broken server the rest fails. The last
        // of them is allowed with the last request only, which need not meet it.
        Assert.That(servers.Log.Attempts - seen.Count, Is.LessThanOrEqualTo(5).And.GreaterThanOrEqualTo(4));
        Assert.That(seen.Count(s => s.Status == 500), Is.EqualTo(servers.Broken.Attempts - (servers.Log.Attempts - seen.Count)));
    }

    [Test]
    public async Task The_breaker_leaves_a_broken_server_alone_and_tries_it_in_between([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        var interval = TimeSpan.FromMilliseconds(300);
        await using var server = await FaultServer.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind, [server],
            [
                .. s_noRetries, .. s_noEjection,
                ("CircuitBreaker:TrialRequestInterval", "00:00:00.3"), ("CircuitBreaker:CircuitOpenWindow", "00:00:30"), ("CircuitBreaker:CounterSlidingWindow", "00:00:02"), ("CircuitBreaker:CounterUpdateInterval", "00:00:00.02"),
            ]);

        var refused = await caller.AskAsync(isIdempotent: true, cancellationToken);
        while (refused.Status == 500)
        {
            refused = await caller.AskAsync(isIdempotent: true, cancellationToken);
        }

        var (attempts, began) = (server.Attempts, Stopwatch.GetTimestamp());
        var seen = await AskInTurnAsync(caller, 500, cancellationToken);
        var trials = Stopwatch.GetElapsedTime(began) / interval;

        Assert.That(attempts, Is.GreaterThanOrEqualTo(10), "as many as it takes to judge");
        Assert.That(server.Attempts - attempts, Is.LessThanOrEqualTo(1 + trials), "one trial in each interval");
        Assert.That(seen.Count(s => s.Status == 500), Is.EqualTo(server.Attempts - attempts));
        Assert.That(refused.Said, Does.Contain("circuit").And.Contain(server.Address));
        Assert.That(refused.Took, Is.LessThan(LostTime.Widen(s_atOnce, refused.Lost)), "fast, not after a timeout");
        if (kind == CallerKind.HttpClient)
        {
            Assert.That((refused.Exception?.InnerException as CircuitOpenException)?.RetryAfter, Is.Not.Null.And.LessThanOrEqualTo(interval));
        }
        else
        {
            Assert.That(refused.IsNotProcessed, Is.True);
        }

        server.Fault = Fault.None;
        var (lost, mended) = (LostTime.Total, Stopwatch.GetTimestamp());
        while (!(await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess)
        {
            await Task.Delay(1, cancellationToken);
        }

        Assert.That(Stopwatch.GetElapsedTime(mended), Is.LessThan(LostTime.WidenSince(interval + s_atOnce, lost)), "the next trial, not the half minute of the open circuit");
    }

    [Test]
    public async Task Ejection_leaves_out_who_fails_and_takes_it_back([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        var time = TimeSpan.FromSeconds(1);
        await using var servers = await Servers.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind, servers.All, [.. s_inTurn, .. s_noRetries, .. s_noBreaker, ("Ejection:EjectionTime", "00:00:01"), (Caller.MaxEjectionTime, "00:00:01")]);

        // Five failures in a row, which take about fifteen requests in turn; then none while it is left out.
        var (failures, lost, ejected) = (0, TimeSpan.Zero, 0L);
        while (failures < 5)
        {
            (lost, ejected) = (LostTime.Total, Stopwatch.GetTimestamp());
            failures += (await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess ? 0 : 1;
        }

        Assert.That(servers.Broken.Attempts, Is.EqualTo(5));
        servers.Broken.Fault = Fault.None;
        while (servers.Broken.Attempts == 5)
        {
            Assert.That((await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess, Is.True);
        }

        var took = Stopwatch.GetElapsedTime(ejected);
        Assert.That(took, Is.GreaterThan(0.97 * time).And.LessThan(LostTime.WidenSince(time + s_atOnce, lost)));
    }

    [Test]
    public async Task What_is_more_than_the_clients_limit_is_refused_at_once([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(kind, servers.All, [.. s_inTurn, .. s_noRetries, ("Limits:Concurrency", "6")]);

        await AssertRefusedAsync(caller, kind, servers.All, perServer: 2, "ServiceMesh:Http:Limits:Concurrency allows", cancellationToken);
    }

    [Test]
    public async Task What_is_more_than_the_endpoints_limit_is_refused_at_once([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All, [.. s_inTurn, .. s_noRetries, ("Limits:Concurrency", "100"), ("Limits:ConcurrencyPerEndpoint", "2")]);

        var refused = await AssertRefusedAsync(caller, kind, servers.All, perServer: 2, "ServiceMesh:Http:Limits:ConcurrencyPerEndpoint allows", cancellationToken);
        Assert.That(servers.All.Where(s => !refused.Said.Contains(s.Address)), Is.Empty, refused.Said);
    }

    [Test]
    public async Task Hedging_hides_a_slow_server([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        var after = TimeSpan.FromMilliseconds(50);
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            [.. s_inTurn, .. s_noBreaker, .. s_noEjection, ("Retry:Attempts", "2"), ("Retry:HedgeAfter", "00:00:00.05"), ("Timeouts:Attempt", "00:00:10"), .. Budget("1")]);

        var seen = await AskInTurnAsync(caller, 30, cancellationToken);

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
        Assert.That(seen.Where(s => s.Took >= LostTime.Widen(after + s_atOnce, s.Lost)), Is.Empty, "long before the attempt's ten seconds");

        // One more for each that met the slow one; and a well one may be slow too on a busy machine.
        Assert.That(servers.Broken.Attempts, Is.GreaterThanOrEqualTo(10));
        Assert.That(servers.Log.Attempts - seen.Count, Is.GreaterThanOrEqualTo(servers.Broken.Attempts).And.LessThanOrEqualTo(30));
    }

    [Test]
    public async Task Hedges_end_with_the_budget([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            [.. s_inTurn, .. s_noBreaker, .. s_noEjection, ("Retry:Attempts", "2"), ("Retry:HedgeAfter", "00:00:00.05"), ("Timeouts:Attempt", "00:00:00.3"), .. Budget("0.1")]);

        var seen = await AskInTurnAsync(caller, 30, cancellationToken);

        // A tenth of thirty, where ten would want a hedge; those that got none waited for the slow one, and failed.
        var added = servers.Log.Attempts - seen.Count;
        Assert.That(added, Is.LessThanOrEqualTo(3).And.GreaterThanOrEqualTo(2));
        Assert.That(servers.Broken.Attempts, Is.GreaterThanOrEqualTo(8));
        Assert.That(seen.Count(s => !s.IsSuccess), Is.GreaterThanOrEqualTo(servers.Broken.Attempts - added));
    }

    // As many as fit wait at the servers, and the next one is refused.
    private static async Task<Seen> AssertRefusedAsync(
        Caller caller, CallerKind kind, IReadOnlyList<FaultServer> servers, int perServer, string says, CancellationToken cancellationToken)
    {
        foreach (var server in servers)
        {
            server.Fault = Fault.SlowHeaders;
        }

        var waiting = Enumerable.Range(0, servers.Count * perServer).Select(_ => caller.AskAsync(isIdempotent: true, cancellationToken)).ToArray();
        await UntilAsync(() => servers.All(s => s.Executions == perServer), cancellationToken);

        var refused = await caller.AskAsync(isIdempotent: true, cancellationToken);

        Assert.That(refused.Said, Does.Contain(says));
        Assert.That(refused.Took, Is.LessThan(LostTime.Widen(s_atOnce, refused.Lost)));
        Assert.That((refused.Status, refused.IsNotProcessed, refused.Exception?.InnerException is RequestNotSentException), kind == CallerKind.Bus
            ? Is.EqualTo(((int?)429, true, false))
            : Is.EqualTo(((int?)null, false, true)));
        Assert.That(servers.Select(s => s.Attempts), Has.All.EqualTo(perServer));
        Assert.That(waiting.Where(w => w.IsCompleted), Is.Empty);
        return refused;
    }

    // Nothing in any case, and all of it is kept for longer than a test takes.
    private static (string, string)[] Budget(string ratio) => [("RetryBudget:Ratio", ratio), ("RetryBudget:PerSecond", "0"), (Caller.BudgetWindow, "00:01:00")];

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
