using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>What is compared, and how long.</summary>
internal sealed record ComparisonOptions
{
    /// <summary>Names of contestants, or what their names begin with: <c>redis</c>, <c>redis/bare</c>.</summary>
    public IReadOnlyList<string> Contestants { get; init; } = ["inmemory", "redis", "http"];

    public IReadOnlyList<int> Callers { get; init; } = [1, 16, 64, 256];

    public IReadOnlyList<int> Replicas { get; init; } = [1, 4, 16];

    /// <summary>So many characters are in the record's text: the body is some 40 bytes more.</summary>
    public int Characters { get; init; } = 3;

    /// <summary>For each contestant and number of callers and replicas, over all rounds.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(5);

    public int Rounds { get; init; } = 5;

    /// <summary>Host and port; null starts a server for this run.</summary>
    public string? Redis { get; init; }
}

/// <summary>
/// Lets the contestants of a transport take turns in short rounds, so that a machine which grows faster or slower meanwhile
/// does so for all, and reports the median of each. Both sides of a request run in this process, and the bytes are those of both.
/// </summary>
internal static class Comparison
{
    private static readonly TimeSpan s_warmUpTurn = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan s_warmUpAtMost = TimeSpan.FromSeconds(20);

    public static async Task<IReadOnlyList<Row>> RunAsync(ComparisonOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        var chosen = Contestant.All.Where(c => options.Contestants.Any(name => c.Name.StartsWith(name, StringComparison.OrdinalIgnoreCase))).ToArray();
        await using var server = options.Redis is null && chosen.Any(c => c.Transport == "redis") ? await RedisServer.StartAsync() : null;
        var ground = new Ground(options.Redis ?? server?.Address ?? "");
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} processors, .NET {Environment.Version}, {options.Rounds} rounds of {options.Time.TotalSeconds / options.Rounds:N1} s, medians"));
        await output.WriteLineAsync($"{"contestant",-26} {"callers",7} {"replicas",8} {"requests/s",11} {"p50 µs",9} {"p99 µs",9} {"B/request",10} {"CPU µs",7}  in relation to");
        var rows = new List<Row>();
        foreach (var transport in chosen.GroupBy(c => c.Transport))
        {
            foreach (var replicas in options.Replicas)
            {
                rows.AddRange(await CompareAsync([.. transport.Where(c => replicas == 1 || c.HasReplicas)], replicas, ground, options, output, cancellationToken));
            }
        }

        return rows;
    }

    private static async Task<List<Row>> CompareAsync(
        Contestant[] contestants, int replicas, Ground ground, ComparisonOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        var rows = new List<Row>();
        var echoes = new List<IEcho>();
        try
        {
            foreach (var contestant in contestants)
            {
                echoes.Add(await contestant.StartAsync(ground, replicas));
                await WarmUpAsync(echoes[^1], options, cancellationToken);
            }

            foreach (var callers in options.Callers)
            {
                var results = contestants.Select(_ => new List<Measurement>()).ToArray();
                for (var round = 0; round < options.Rounds; round++)
                {
                    for (var turn = 0; turn < contestants.Length; turn++)
                    {
                        var i = (round + turn) % contestants.Length; // nobody always comes after the same one
                        results[i].Add(await MeasureAsync(echoes[i], callers, options.Characters, options.Time / options.Rounds, cancellationToken));
                    }
                }

                var those = contestants.Select((c, i) => new Row(
                    c.Name, callers, replicas,
                    Median(results[i], m => m.RequestsPerSecond), Median(results[i], m => m.P50), Median(results[i], m => m.P99), Median(results[i], m => m.BytesPerRequest))).ToList();
                for (var i = 0; i < contestants.Length; i++)
                {
                    var peers = those.Where(r => contestants[i].Peers.Contains(r.Contestant));
                    await output.WriteLineAsync(Line(those[i], Median(results[i], m => m.CpuMicroseconds), peers));
                }

                rows.AddRange(those);
            }
        }
        finally
        {
            foreach (var echo in echoes)
            {
                await echo.DisposeAsync();
            }
        }

        return rows;
    }

    // Until the runtime has compiled what is hot for good. What it compiles first, and watches for a while, is several times slower, and
    // who has more code would pay more for that.
    private static async Task WarmUpAsync(IEcho echo, ComparisonOptions options, CancellationToken cancellationToken)
    {
        var atMost = options.Time < s_warmUpTurn ? options.Time : TimeSpan.FromTicks(Math.Min(s_warmUpAtMost.Ticks, 10 * options.Time.Ticks));
        var began = Stopwatch.GetTimestamp();
        long compiled;
        do
        {
            compiled = JitInfo.GetCompiledMethodCount();
            await MeasureAsync(echo, 16, options.Characters, options.Time < s_warmUpTurn ? options.Time : s_warmUpTurn, cancellationToken);
        }
        while (JitInfo.GetCompiledMethodCount() - compiled > 5 && Stopwatch.GetElapsedTime(began) < atMost);
    }

    private static async Task<Measurement> MeasureAsync(IEcho echo, int callers, int characters, TimeSpan time, CancellationToken cancellationToken)
    {
        // Made before the bytes are counted: with many callers and few requests they would be seen.
        var text = new string('j', characters);
        Histogram[] latencies = [.. Enumerable.Range(0, callers).Select(_ => new Histogram())];
        GC.Collect();
        var bytesBefore = GC.GetTotalAllocatedBytes(precise: true);
        var cpuBefore = Environment.CpuUsage.TotalTime;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(() => CallAsync(caller, latencies[caller]), cancellationToken)));
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
            // A token of its own, as the callers within a web application have it.
            using var token = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var reading = new Reading(text, caller, -3.5);
            do
            {
                var before = Stopwatch.GetTimestamp();
                var echoed = await echo.EchoAsync(reading, token.Token);
                histogram.Add(Stopwatch.GetElapsedTime(before));
                if (echoed.Day != caller)
                {
                    throw new InvalidOperationException($"Caller {caller} was answered with what caller {echoed.Day} had sent.");
                }
            }
            while (Stopwatch.GetElapsedTime(started) < time);
        }
    }

    // Processor time is that of this process, both sides together and without Redis: it is what an application pays, and unlike
    // the others hardly changes with what else runs on the machine.
    private static string Line(Row row, double cpu, IEnumerable<Row> peers)
    {
        var relations = peers.Select(p => string.Create(CultureInfo.InvariantCulture, $"{row.RequestsPerSecond / p.RequestsPerSecond:0.00} × {p.Contestant}"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Contestant,-26} {row.Callers,7} {row.Replicas,8} {row.RequestsPerSecond,11:N0} {row.P50Microseconds,9:N1} {row.P99Microseconds,9:N1} {row.BytesPerRequest,10:N0} {cpu,7:N1}  {string.Join(", ", relations)}").TrimEnd();
    }

    private static double Median(List<Measurement> measurements, Func<Measurement, double> figure) =>
        measurements.Select(figure).Order().ElementAt(measurements.Count / 2);

    private sealed record Measurement(double RequestsPerSecond, double P50, double P99, double BytesPerRequest, double CpuMicroseconds);
}
