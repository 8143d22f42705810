using System.Diagnostics;
using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// Each layer while the others are turned off: its effect on the caller, counted at the servers. The timeouts alone are in
/// <see cref="OneServerTests"/>.
/// </summary>
[CancelAfter(30_000)]
public sealed class LayersAloneTests
{
    private static readonly (string, string)[] s_inTurn = [("Services:weather:Balancer", "RoundRobin")];
    private static readonly (string, string)[] s_noRetries = [("Retry:Attempts", "1")];
    private static readonly (string, string)[] s_noBreaker = [("CircuitBreaker:MinimumRequestThreshold", "1000000")];
    private static readonly (string, string)[] s_noEjection = [("Ejection:MaxEjected", "0")];
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(300); // shorter than every timeout of these tests

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

        // A twentieth of the 100 requests may be sent again. A third of them meets the broken server, and most of these fail. The fifth
        // retry is allowed with the last request only, which need not meet the broken server.
        Assert.That(servers.Log.Attempts - seen.Count, Is.LessThanOrEqualTo(5).And.GreaterThanOrEqualTo(4));
        Assert.That(seen.Count(s => s.Status == 500), Is.EqualTo(servers.Broken.Attempts - (servers.Log.Attempts - seen.Count)));
    }

    [Test]
    public async Task The_breaker_sends_only_trials_to_a_broken_server([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        var interval = TimeSpan.FromMilliseconds(300);
        await using var server = await FaultServer.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind, [server],
            [
                .. s_noRetries, .. s_noEjection,
                ("CircuitBreaker:TrialRequestInterval", "00:00:00.3"),
                ("CircuitBreaker:CircuitOpenWindow", "00:00:30"),
                ("CircuitBreaker:CounterSlidingWindow", "00:00:02"),
                ("CircuitBreaker:CounterUpdateInterval", "00:00:00.02"),
            ]);

        var refused = await caller.AskAsync(isIdempotent: true, cancellationToken);
        while (refused.Status == 500)
        {
            refused = await caller.AskAsync(isIdempotent: true, cancellationToken);
        }

        var (attempts, began) = (server.Attempts, Stopwatch.GetTimestamp());
        var seen = await AskInTurnAsync(caller, 500, cancellationToken);
        var trials = Stopwatch.GetElapsedTime(began) / interval;

        Assert.That(attempts, Is.GreaterThanOrEqualTo(10), "the minimum that the breaker needs");
        Assert.That(server.Attempts - attempts, Is.LessThanOrEqualTo(1 + trials), "one trial in each interval");
        Assert.That(seen.Count(s => s.Status == 500), Is.EqualTo(server.Attempts - attempts));
        Assert.That(refused.Message, Does.Contain("circuit").And.Contain(server.Address));
        Assert.That(refused.Took, Is.LessThan(LostTime.Widen(s_soon, refused.Lost)), "refused at once and not after a timeout");
        if (kind == CallerKind.HttpClient)
        {
            Assert.That(
                (refused.Exception?.InnerException as CircuitOpenException)?.RetryAfter, Is.Not.Null.And.LessThanOrEqualTo(interval));
        }
        else
        {
            Assert.That(refused.IsNotProcessed, Is.True);
        }

        server.Fault = Fault.None;
        var (lost, repaired) = (LostTime.Total, Stopwatch.GetTimestamp());
        while (!(await caller.AskAsync(isIdempotent: true, cancellationToken)).IsSuccess)
        {
            await Task.Delay(1, cancellationToken);
        }

        Assert.That(
            Stopwatch.GetElapsedTime(repaired),
            Is.LessThan(LostTime.WidenSince(interval + s_soon, lost)),
            "the next trial closes the circuit, not the 30 s of the open circuit");
    }

    [Test]
    public async Task Ejection_removes_a_failing_server_and_returns_it_later([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        var time = TimeSpan.FromSeconds(1);
        await using var servers = await Servers.StartAsync(Fault.Status500);
        await using var caller = await Caller.StartAsync(
            kind,
            servers.All,
            [.. s_inTurn, .. s_noRetries, .. s_noBreaker, ("Ejection:EjectionTime", "00:00:01"), (Caller.MaxEjectionTime, "00:00:01")]);

        // Five failures in a row take about fifteen requests by round robin. Then the server gets none while it is ejected.
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
        Assert.That(took, Is.GreaterThan(0.97 * time).And.LessThan(LostTime.WidenSince(time + s_soon, lost)));
    }

    [Test]
    public async Task A_request_beyond_the_limit_of_the_client_is_refused_at_once(
        [Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(kind, servers.All, [.. s_inTurn, .. s_noRetries, ("Limits:Concurrency", "6")]);

        await AssertRefusedAsync(caller, kind, servers.All, perServer: 2, "Http:Limits:Concurrency", cancellationToken);
    }

    [Test]
    public async Task A_request_beyond_the_limit_per_endpoint_is_refused_at_once(
        [Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All, [.. s_inTurn, .. s_noRetries, ("Limits:Concurrency", "100"), ("Limits:ConcurrencyPerEndpoint", "2")]);

        var refused = await AssertRefusedAsync(
            caller, kind, servers.All, perServer: 2, "Http:Limits:ConcurrencyPerEndpoint", cancellationToken);
        Assert.That(servers.All.Where(s => !refused.Message.Contains(s.Address)), Is.Empty, refused.Message);
    }

    [Test]
    public async Task Hedging_hides_a_slow_server([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        var after = TimeSpan.FromMilliseconds(50);
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            [
                .. s_inTurn,
                .. s_noBreaker,
                .. s_noEjection,
                ("Retry:Attempts", "2"),
                ("Retry:HedgeAfter", "00:00:00.05"),
                ("Timeouts:Attempt", "00:00:10"),
                .. Budget("1"),
            ]);

        var seen = await AskInTurnAsync(caller, 30, cancellationToken);

        Assert.That(seen.Where(s => !s.IsSuccess), Is.Empty);
        Assert.That(
            seen.Where(s => s.Took >= LostTime.Widen(after + s_soon, s.Lost)),
            Is.Empty,
            "long before the timeout of an attempt, ten seconds");

        // One more attempt for each request that met the slow server; on a busy machine a healthy server may be slow too.
        Assert.That(servers.Broken.Attempts, Is.GreaterThanOrEqualTo(10));
        Assert.That(servers.Log.Attempts - seen.Count, Is.GreaterThanOrEqualTo(servers.Broken.Attempts).And.LessThanOrEqualTo(30));
    }

    [Test]
    public async Task Hedges_end_with_the_budget([Values] CallerKind kind, CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.SlowHeaders);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            [
                .. s_inTurn,
                .. s_noBreaker,
                .. s_noEjection,
                ("Retry:Attempts", "2"),
                ("Retry:HedgeAfter", "00:00:00.05"),
                ("Timeouts:Attempt", "00:00:00.3"),
                .. Budget("0.1"),
            ]);

        var seen = await AskInTurnAsync(caller, 30, cancellationToken);

        // The budget allows three hedges, and ten requests need one. Those without a hedge waited for the slow server and failed.
        var added = servers.Log.Attempts - seen.Count;
        Assert.That(added, Is.LessThanOrEqualTo(3).And.GreaterThanOrEqualTo(2));
        Assert.That(servers.Broken.Attempts, Is.GreaterThanOrEqualTo(8));
        Assert.That(seen.Count(s => !s.IsSuccess), Is.GreaterThanOrEqualTo(servers.Broken.Attempts - added));
    }

    // The allowed number of requests waits at the servers, and the next one is refused.
    private static async Task<Seen> AssertRefusedAsync(
        Caller caller,
        CallerKind kind,
        IReadOnlyList<FaultServer> servers,
        int perServer,
        string expected,
        CancellationToken cancellationToken)
    {
        foreach (var server in servers)
        {
            server.Fault = Fault.SlowHeaders;
        }

        var waiting = Enumerable.Range(0, servers.Count * perServer)
            .Select(_ => caller.AskAsync(isIdempotent: true, cancellationToken)).ToArray();
        await UntilAsync(() => servers.All(s => s.Executions == perServer), cancellationToken);

        var refused = await caller.AskAsync(isIdempotent: true, cancellationToken);

        Assert.That(refused.Message, Does.Contain(expected));
        Assert.That(refused.Took, Is.LessThan(LostTime.Widen(s_soon, refused.Lost)));
        Assert.That(
            (refused.Status, refused.IsNotProcessed, refused.Exception?.InnerException is RequestNotSentException),
            kind == CallerKind.Bus ? Is.EqualTo(((int?)429, true, false)) : Is.EqualTo(((int?)null, false, true)));
        Assert.That(servers.Select(s => s.Attempts), Has.All.EqualTo(perServer));
        Assert.That(waiting.Where(w => w.IsCompleted), Is.Empty);
        return refused;
    }

    // Without a fixed part, and with a window that is longer than a test.
    private static (string, string)[] Budget(string ratio) =>
        [("RetryBudget:Ratio", ratio), ("RetryBudget:PerSecond", "0"), (Caller.BudgetWindow, "00:01:00")];

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
