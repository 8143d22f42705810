using System.Diagnostics;
using System.Runtime;

namespace ServiceMesh.Benchmarks;

/// <summary>Callers that send records to a contestant; each caller sends the next record when it has the answer to the last one.</summary>
internal static class Callers
{
    private static readonly TimeSpan s_warmUpTurn = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan s_warmUpAtMost = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(1);

    /// <summary>
    /// Runs the callers until the runtime has compiled the hot code with all optimizations. The code that it compiles first and
    /// observes is several times slower, so a contestant with more code would lose more. The compilation of another runtime cannot be
    /// observed: such a contestant is warm when it gets no faster.
    /// </summary>
    public static async Task WarmUpAsync(IEcho echo, ComparisonOptions options, CancellationToken cancellationToken)
    {
        var isShort = options.Time < s_warmUpTurn;
        var turn = isShort ? options.Time : s_warmUpTurn;
        var atMost = isShort ? options.Time : TimeSpan.FromTicks(Math.Min(s_warmUpAtMost.Ticks, 10 * options.Time.Ticks));
        var began = Stopwatch.GetTimestamp();
        var fastest = 0.0;
        bool isWarm;
        do
        {
            var compiled = JitInfo.GetCompiledMethodCount();
            var requests = (await MeasureAsync(echo, 16, options.Characters, turn, cancellationToken)).RequestsPerSecond;
            isWarm = echo is IForeignEcho ? requests < fastest * 1.05 : JitInfo.GetCompiledMethodCount() - compiled <= 5;
            fastest = Math.Max(fastest, requests);
        }
        while (!isWarm && Stopwatch.GetElapsedTime(began) < atMost);
    }

    /// <summary>Lets the callers send records of the given number of characters for the given time.</summary>
    public static Task<Measurement> MeasureAsync(
        IEcho echo, int callers, int characters, TimeSpan time, CancellationToken cancellationToken) =>
        echo is IForeignEcho foreign
            ? foreign.MeasureAsync(callers, characters, time, cancellationToken)
            : MeasureHereAsync(echo, callers, characters, time, cancellationToken);

    private static async Task<Measurement> MeasureHereAsync(
        IEcho echo, int callers, int characters, TimeSpan time, CancellationToken cancellationToken)
    {
        // Created before the bytes are counted: with many callers and few requests they would matter.
        var text = new string('j', characters);
        Histogram[] latencies = [.. Enumerable.Range(0, callers).Select(_ => new Histogram())];
        GC.Collect();
        var bytesBefore = GC.GetTotalAllocatedBytes(precise: true);
        var cpuBefore = Environment.CpuUsage.TotalTime;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers)
            .Select(caller => Task.Run(() => CallAsync(caller, latencies[caller]), cancellationToken)));
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var cpu = Environment.CpuUsage.TotalTime - cpuBefore;
        var bytes = GC.GetTotalAllocatedBytes(precise: true) - bytesBefore;
        var requests = latencies.Sum(l => l.Count);
        return new(
            requests / seconds,
            Histogram.Percentile(latencies, 0.50),
            Histogram.Percentile(latencies, 0.99),
            (double)bytes / requests,
            cpu.TotalMicroseconds / requests);

        async Task CallAsync(int caller, Histogram histogram)
        {
            // Each caller has its own token, as in a web application.
            using var token = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var reading = new Reading(text, caller, -3.5);
            var sliced = started;
            do
            {
                var before = Stopwatch.GetTimestamp();
                var running = echo.EchoAsync(reading, token.Token);
                var isSynchronous = running.IsCompleted;
                var echoed = await running;
                histogram.Add(Stopwatch.GetElapsedTime(before));
                if (echoed.Day != caller)
                {
                    throw new InvalidOperationException($"Caller {caller} was answered with what caller {echoed.Day} had sent.");
                }

                // A contestant that never waits would keep the thread from the other callers, and the pool would add threads.
                if (isSynchronous && Stopwatch.GetElapsedTime(sliced, before) > s_slice)
                {
                    await Task.Yield();
                    sliced = Stopwatch.GetTimestamp();
                }
            }
            while (Stopwatch.GetElapsedTime(started) < time);
        }
    }
}
