using System.Diagnostics;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>All servers of a service broken at once under the load of 64 callers, and mended again.</summary>
[CancelAfter(60_000)]
public sealed class OutageTests
{
    private const int Callers = 64;

    [Test]
    public async Task A_total_outage_is_not_made_worse_and_is_over_when_it_is_over(
        [Values] CallerKind kind,
        [Values(Fault.Refused, Fault.ResetBeforeAnswer, Fault.Status500, Fault.BlackHole)] Fault fault,
        CancellationToken cancellationToken)
    {
        await using var servers = await Servers.StartAsync(Fault.None);
        await using var caller = await Caller.StartAsync(
            kind, servers.All,
            ("Timeouts:Attempt", "00:00:00.3"), ("CircuitBreaker:TrialRequestInterval", "00:00:00.3"), ("CircuitBreaker:CircuitOpenWindow", "00:00:01"),
            ("CircuitBreaker:CounterSlidingWindow", "00:00:01"), ("CircuitBreaker:CounterUpdateInterval", "00:00:00.05"),
            ("Ejection:EjectionTime", "00:00:01"), ("Ejection:LongestEjectionTime", "00:00:01"));
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var load = new Load();
        var running = Enumerable.Range(0, Callers).Select(_ => Task.Run(() => load.RunAsync(caller, end.Token), cancellationToken)).ToArray();
        await UntilAsync(() => load.Succeeded > Callers * 5, cancellationToken);

        foreach (var server in servers.All)
        {
            server.Fault = fault;
        }

        await UntilAsync(() => load.SucceededBefore(TimeSpan.FromSeconds(1.5)), cancellationToken); // what was under way is through, and the circuits are open
        var (requests, attempts, began) = (load.Sent, servers.Log.Attempts, Stopwatch.GetTimestamp());
        await Task.Delay(TimeSpan.FromSeconds(TestLength.Of(1, 20)), cancellationToken);
        var took = Stopwatch.GetElapsedTime(began);
        (requests, attempts) = (load.Sent - requests, servers.Log.Attempts - attempts);

        // Each request once, a fifth of them again, a hundred that were there, and ten a second. With the circuits open it is far
        // less: a trial of each in each interval.
        Assert.That(attempts, Is.LessThanOrEqualTo(requests + (0.2 * requests) + 100 + (10 * took.TotalSeconds)));
        Assert.That(attempts, Is.LessThanOrEqualTo((3 * ((took / TimeSpan.FromMilliseconds(300)) + 2)) + Callers), $"attempts, of {requests} requests");

        var failed = load.Failed;
        foreach (var server in servers.All)
        {
            server.Fault = Fault.None;
        }

        var mended = Stopwatch.GetTimestamp();
        var succeeded = load.Succeeded;
        await UntilAsync(() => load.Succeeded > succeeded, cancellationToken);
        Assert.That(Stopwatch.GetElapsedTime(mended), Is.LessThan(TimeSpan.FromSeconds(4)), "the first success: a trial interval, and what a busy machine adds");

        // And all of it is back: hundreds of requests in a row without a failure, at every server.
        failed = load.Failed;
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
        Assert.That(Stopwatch.GetElapsedTime(mended), Is.LessThan(TimeSpan.FromSeconds(8)), "the second for which circuits open and an outlier is ejected, which trials that fail have not made longer while all were out; and what a busy machine adds");

        await end.CancelAsync();
        await Task.WhenAll(running);
    }

    private static async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        while (!condition())
        {
            await Task.Delay(1, cancellationToken);
        }
    }

    // One request after the other with a breath between them, as callers that go on asking whatever happens.
    private sealed class Load
    {
        private int _sent;
        private int _succeeded;
        private int _failed;
        private long _lastSuccess;

        public int Sent => Volatile.Read(ref _sent);

        public int Succeeded => Volatile.Read(ref _succeeded);

        public int Failed => Volatile.Read(ref _failed);

        public bool SucceededBefore(TimeSpan time) => Stopwatch.GetElapsedTime(Volatile.Read(ref _lastSuccess)) > time;

        public async Task RunAsync(Caller caller, CancellationToken end)
        {
            while (!end.IsCancellationRequested)
            {
                Interlocked.Increment(ref _sent);
                try
                {
                    if ((await caller.AskAsync(isIdempotent: true, end)).IsSuccess)
                    {
                        Volatile.Write(ref _lastSuccess, Stopwatch.GetTimestamp());
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
