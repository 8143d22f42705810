using System.Diagnostics;
using System.Globalization;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// Lets the contestants take turns, so that a machine which grows faster or slower meanwhile does so for all, and prints
/// the median of each. Both sides of a request run in this process, and the bytes are those of both.
/// </summary>
internal static class Comparison
{
    public static async Task<int> RunAsync(
        IReadOnlyList<int> callers, TimeSpan time, int rounds, TextWriter output, CancellationToken cancellationToken)
    {
        await using var inMemory = await InMemory.StartAsync();
        Contestant[] contestants = [.. inMemory.Contestants];
        foreach (var contestant in contestants)
        {
            await MeasureAsync(contestant, 16, time, cancellationToken); // warm-up: tiered compilation has its say
        }

        await output.WriteLineAsync($"{Environment.ProcessorCount} processors, .NET {Environment.Version}, {rounds} rounds of {time.TotalSeconds} s, medians");
        await output.WriteLineAsync($"{"contestant",-24} {"callers",7} {"requests/s",12} {"p50 µs",9} {"p99 µs",9} {"B/request",10}");
        foreach (var count in callers)
        {
            var results = contestants.Select(_ => new List<Measurement>()).ToArray();
            for (var round = 0; round < rounds; round++)
            {
                for (var i = 0; i < contestants.Length; i++)
                {
                    results[i].Add(await MeasureAsync(contestants[i], count, time, cancellationToken));
                }
            }

            for (var i = 0; i < contestants.Length; i++)
            {
                await output.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{contestants[i].Name,-24} {count,7} {Median(results[i], m => m.RequestsPerSecond),12:N0} " +
                    $"{Median(results[i], m => m.P50),9:N1} {Median(results[i], m => m.P99),9:N1} {Median(results[i], m => m.BytesPerRequest),10:N0}"));
            }
        }

        return 0;
    }

    private static async Task<Measurement> MeasureAsync(Contestant contestant, int callers, TimeSpan time, CancellationToken cancellationToken)
    {
        GC.Collect();
        var bytesBefore = GC.GetTotalAllocatedBytes(precise: true);
        var started = Stopwatch.GetTimestamp();
        var latencies = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(CallAsync, cancellationToken)));
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var bytes = GC.GetTotalAllocatedBytes(precise: true) - bytesBefore;
        var units = latencies.Sum(l => l.Count);
        return new(
            units * contestant.RequestsPerUnit / seconds,
            Histogram.Percentile(latencies, 0.50),
            Histogram.Percentile(latencies, 0.99),
            (double)bytes / units / contestant.RequestsPerUnit);

        async Task<Histogram> CallAsync()
        {
            var histogram = new Histogram();
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                var before = Stopwatch.GetTimestamp();
                await contestant.RunOnceAsync(cancellationToken);
                histogram.Add(Stopwatch.GetElapsedTime(before));
            }

            return histogram;
        }
    }

    private static double Median(List<Measurement> measurements, Func<Measurement, double> figure) =>
        measurements.Select(figure).Order().ElementAt(measurements.Count / 2);

    private sealed record Measurement(double RequestsPerSecond, double P50, double P99, double BytesPerRequest);
}
