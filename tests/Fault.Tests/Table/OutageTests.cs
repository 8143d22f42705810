using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>All servers of a service break at once under the load of 64 callers, and are repaired again.</summary>
[CancelAfter(60_000)]
public sealed class OutageTests
{
    private const int Callers = 64;

    private static readonly TimeSpan s_trialInterval = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_slowStart = TimeSpan.FromSeconds(20);

    // Jitter may shorten it by a fifth. It is still longer than the slow start, so only trials can end the outage within the slow start.
    private static readonly TimeSpan s_openWindow = TimeSpan.FromSeconds(30);

    // Before the circuits open, only the budget bounds the load that retries add to an outage.
    [Test]
    public async Task While_circuits_are_closed_the_attempts_of_an_outage_stay_within_the_budget(
        [Values] CallerKind kind,
        [Values(Fault.Refused, Fault.ResetBeforeAnswer, Fault.Status500, Fault.BlackHole)] Fault fault,
        CancellationToken cancellationToken)
    {
        const double Ratio = 0.2, PerSecond = 0.5;
        var window = TimeSpan.FromMinutes(1);
        await using var servers = await Servers.StartAsync(Fault.None);
        Set(servers, fault);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            ("Timeouts:Attempt", "00:00:00.1"), ("CircuitBreaker:MinimumRequestThreshold", "1000000"), ("Ejection:MaxEjected", "0"),
            ("RetryBudget:Ratio", Ratio.ToString(CultureInfo.InvariantCulture)),
            ("RetryBudget:PerSecond", PerSecond.ToString(CultureInfo.InvariantCulture)),
            (Caller.BudgetWindow, window.ToString("c", CultureInfo.InvariantCulture)));
        using var metrics = new RecordedMetrics(caller.Services);

        var seen = await caller.AskFromManyAsync(Callers, TestLength.Of(10, 100), isIdempotent: true, cancellationToken);

        // Each request wants three attempts. No server sees an attempt to a port that refuses it, so attempts are counted at the caller.
        var (attempts, allowed) = (metrics.Sum("servicemesh.http.picks"), (Ratio * seen.Count) + (PerSecond * window.TotalSeconds));
        Assert.That(seen.Where(s => s.IsSuccess), Is.Empty);
        Assert.That(attempts - seen.Count, Is.LessThanOrEqualTo(allowed).And.GreaterThan(allowed - Callers), $"of {seen.Count} requests");
        Assert.That(metrics.Sum("servicemesh.http.retries", "servicemesh.reason=budget-empty"), Is.GreaterThan(0));
        Assert.That(servers.Log.Attempts, Is.LessThanOrEqualTo(attempts), "servers saw only attempts that were counted");
        Assert.That(servers.Log.Attempts, fault == Fault.Refused ? Is.Zero : Is.GreaterThan(0));
    }

    [Test]
    public async Task With_open_circuits_an_outage_gets_only_trials_and_ends_with_the_repair(
        [Values] CallerKind kind,
        [Values(Fault.Refused, Fault.ResetBeforeAnswer, Fault.Status500, Fault.BlackHole)] Fault fault,
        CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.None);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            ("Timeouts:Attempt", "00:00:00.3"),
            ("CircuitBreaker:TrialRequestInterval", s_trialInterval.ToString("c", CultureInfo.InvariantCulture)),
            ("CircuitBreaker:CircuitOpenWindow", s_openWindow.ToString("c", CultureInfo.InvariantCulture)),
            ("CircuitBreaker:CounterSlidingWindow", "00:00:01"), ("CircuitBreaker:CounterUpdateInterval", "00:00:00.05"),
            ("Ejection:EjectionTime", "00:00:01"), (Caller.MaxEjectionTime, "00:00:01"));
        using var metrics = new RecordedMetrics(caller.Services);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var load = new Load(caller, end.Token);
        var running = Enumerable.Range(0, Callers).Select(_ => Task.Run(load.RunAsync, cancellationToken)).ToArray();
        await UntilAsync(() => load.Succeeded > Callers * 5, cancellationToken);

        Set(servers, fault);
        await UntilAsync(
            () => servers.All.All(
                s => metrics.Sum(
                    "servicemesh.http.circuit_breaker.transitions", $"server.port={s.Port}", "servicemesh.circuit.state=Open") > 0),
            cancellationToken);
        await load.AllBegunAfterAsync(Stopwatch.GetTimestamp(), cancellationToken); // requests that were in flight have ended
        var (attempts, began) = (servers.Log.Attempts, Stopwatch.GetTimestamp());
        await Task.Delay(TimeSpan.FromSeconds(TestLength.Of(1, 20)), cancellationToken);
        attempts = servers.Log.Attempts - attempts;

        // One trial for each server in each interval, and one for each that was sent before the interval and read in it.
        var trials = (Stopwatch.GetElapsedTime(began) / s_trialInterval) + 1;
        Assert.That(attempts, Is.LessThanOrEqualTo(servers.All.Count * (trials + 1)));
        Assert.That(attempts, fault == Fault.Refused ? Is.Zero : Is.GreaterThanOrEqualTo(1), "trials are sent");

        Set(servers, Fault.None);
        var (lost, repaired, succeeded) = (LostTime.Total, Stopwatch.GetTimestamp(), load.Succeeded);
        await UntilAsync(() => load.Succeeded > succeeded, cancellationToken);

        // A trial that began before the repair may take an interval.
        Assert.That(Stopwatch.GetElapsedTime(repaired), Is.LessThan(LostTime.WidenSince(3 * s_trialInterval, lost)), "the first success");

        // The service is back: hundreds of requests in a row succeed, and every server executes some.
        var failed = load.Failed;
        var executions = servers.All.Select(s => s.Executions).ToArray();
        await UntilAsync(
            () =>
            {
                if (load.Failed != failed)
                {
                    (failed, succeeded) = (load.Failed, load.Succeeded);
                }

                return load.Succeeded > succeeded + (Callers * 5) && servers.All.Zip(executions).All(s => s.First.Executions > s.Second);
            },
            cancellationToken);
        Assert.That(
            Stopwatch.GetElapsedTime(repaired),
            Is.LessThan(s_trialInterval + s_slowStart).And.LessThan(0.8 * s_openWindow),
            "only trials can end the outage so soon");

        await end.CancelAsync();
        await Task.WhenAll(running);
    }

    private static void Set(Servers servers, Fault fault)
    {
        foreach (var server in servers.All)
        {
            server.Fault = fault;
        }
    }

    private static async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (!condition())
        {
            await Task.Delay(1, cancellationToken);
        }
    }

    // Callers that send one request after the other, with a short pause between them, whatever the results are.
    private sealed class Load(Caller caller, CancellationToken end)
    {
        private readonly ConcurrentDictionary<int, long> _began = new();
        private int _callers;
        private int _succeeded;
        private int _failed;

        public int Succeeded => Volatile.Read(ref _succeeded);

        public int Failed => Volatile.Read(ref _failed);

        public Task AllBegunAfterAsync(long time, CancellationToken cancellationToken) =>
            UntilAsync(() => _began.Values.All(b => b > time), cancellationToken);

        public async Task RunAsync()
        {
            var own = Interlocked.Increment(ref _callers);
            while (!end.IsCancellationRequested)
            {
                _began[own] = Stopwatch.GetTimestamp();
                try
                {
                    if ((await caller.AskAsync(isIdempotent: true, end)).IsSuccess)
                    {
                        Interlocked.Increment(ref _succeeded);
                    }
                    else
                    {
                        Interlocked.Increment(ref _failed);
                    }

                    await Task.Delay(5, end);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }
    }
}
