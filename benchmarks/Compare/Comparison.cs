using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>What is compared, and how long.</summary>
internal sealed record ComparisonOptions
{
    /// <summary>Names of contestants, or what their names begin with: <c>redis</c>, <c>redis/bare</c>. Null for all.</summary>
    public IReadOnlyList<string>? Contestants { get; init; }

    /// <summary>True when a contestant that cannot run is an error. Otherwise it is left out, and a line says so.</summary>
    public bool IsComplete { get; init; }

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

/// <summary>A server, runtime or package that contestants need is missing. The message names the contestants and what to install.</summary>
internal sealed class MissingServerException(string message) : Exception(message);

/// <summary>
/// Lets the contestants of a heat take turns in short rounds, so that a machine which grows faster or slower meanwhile
/// does so for all, and reports the median of each. Both sides of a request run in this process, and the bytes are those of
/// both; those of a foreign contestant run in processes of their own.
/// </summary>
internal static class Comparison
{
    private static readonly TimeSpan s_warmUpTurn = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan s_warmUpAtMost = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(1);

    /// <exception cref="MissingServerException">A contestant cannot run and <see cref="ComparisonOptions.IsComplete"/> is set, or none can.</exception>
    public static async Task<IReadOnlyList<Row>> RunAsync(ComparisonOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        var chosen = await ChooseAsync(options, output);
        await using var redis = options.Redis is null && chosen.Any(c => c.Needs.Contains(Requirement.Redis)) ? await RedisServer.StartAsync() : null;
        await using var nats = chosen.Any(c => c.Needs.Contains(Requirement.Nats)) ? await NatsServer.StartAsync() : null;
        var ground = new Ground(options.Redis ?? redis?.Address ?? "", nats?.Address ?? "");
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} processors, .NET {Environment.Version}, {options.Rounds} rounds of {options.Time.TotalSeconds / options.Rounds:N1} s, medians"));
        await output.WriteLineAsync($"{"contestant",-26} {"callers",7} {"replicas",8} {"requests/s",11} {"p50 µs",9} {"p99 µs",9} {"B/request",10} {"CPU µs",7}  in relation to");
        var rows = new List<Row>();
        foreach (var heat in chosen.GroupBy(c => c.Heat))
        {
            foreach (var replicas in options.Replicas)
            {
                rows.AddRange(await CompareAsync([.. heat.Where(c => replicas == 1 || c.HasReplicas)], replicas, ground, options, output, cancellationToken));
            }
        }

        return rows;
    }

    private static async Task<Contestant[]> ChooseAsync(ComparisonOptions options, TextWriter output)
    {
        var chosen = Contestant.All
            .Where(c => options.Contestants is not { } names || names.Any(name => c.Name.StartsWith(name, StringComparison.OrdinalIgnoreCase)))
            .ToLookup(c => c.Needs.FirstOrDefault(need => !(need == Requirement.Redis && options.Redis is not null) && !need.IsMet()));
        string[] missing = [.. chosen.Where(c => c.Key is not null).SelectMany(c => c, (need, c) => $"{c.Name} is left out, because {need.Key!.Name} is missing. {need.Key.Remedy}")];
        if (missing.Length > 0 && (options.IsComplete || !chosen[null].Any()))
        {
            throw new MissingServerException(string.Join(Environment.NewLine, missing));
        }

        foreach (var line in missing)
        {
            await output.WriteLineAsync(line);
        }

        return [.. chosen[null]];
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
                        var i = (round + turn) % contestants.Length; // none always begins
                        results[i].Add(await MeasureAsync(echoes[i], callers, options.Characters, options.Time / options.Rounds, cancellationToken));
                    }
                }

                var those = contestants.Select((c, i) => new Row(
                    c.Name, callers, replicas,
                    Median(results[i], m => m.RequestsPerSecond), Median(results[i], m => m.P50), Median(results[i], m => m.P99),
                    results[i][0].BytesPerRequest is null ? null : Median(results[i], m => m.BytesPerRequest!.Value))).ToList();
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
    // a contestant with more code would pay more for that. What another runtime compiles is not known here: it is warm when it gets no faster.
    private static async Task WarmUpAsync(IEcho echo, ComparisonOptions options, CancellationToken cancellationToken)
    {
        var turn = options.Time < s_warmUpTurn ? options.Time : s_warmUpTurn;
        var atMost = options.Time < s_warmUpTurn ? options.Time : TimeSpan.FromTicks(Math.Min(s_warmUpAtMost.Ticks, 10 * options.Time.Ticks));
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

    private static Task<Measurement> MeasureAsync(IEcho echo, int callers, int characters, TimeSpan time, CancellationToken cancellationToken) =>
        echo is IForeignEcho foreign ? foreign.MeasureAsync(callers, characters, time, cancellationToken) : MeasureHereAsync(echo, callers, characters, time, cancellationToken);

    private static async Task<Measurement> MeasureHereAsync(IEcho echo, int callers, int characters, TimeSpan time, CancellationToken cancellationToken)
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

    // Processor time is that of both sides together and without the broker: it is what an application pays, and unlike
    // the others hardly changes with what else runs on the machine.
    private static string Line(Row row, double cpu, IEnumerable<Row> peers)
    {
        var relations = peers.Select(p => string.Create(CultureInfo.InvariantCulture, $"{row.RequestsPerSecond / p.RequestsPerSecond:0.00} × {p.Contestant}"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{row.Contestant,-26} {row.Callers,7} {row.Replicas,8} {row.RequestsPerSecond,11:N0} {row.P50Microseconds,9:N1} {row.P99Microseconds,9:N1} {(row.BytesPerRequest is { } bytes ? bytes.ToString("N0", CultureInfo.InvariantCulture) : "-"),10} {cpu,7:N1}  {string.Join(", ", relations)}").TrimEnd();
    }

    private static double Median(List<Measurement> measurements, Func<Measurement, double> figure) =>
        measurements.Select(figure).Order().ElementAt(measurements.Count / 2);
}
