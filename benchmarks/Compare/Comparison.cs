using System.Globalization;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>What a comparison measures, and for how long.</summary>
internal sealed record ComparisonOptions
{
    /// <summary>Names of contestants, or prefixes of names: <c>redis</c>, <c>redis/bare</c>. Null for all.</summary>
    public IReadOnlyList<string>? Contestants { get; init; }

    /// <summary>True when a contestant that cannot run is an error. Otherwise it is left out, and a line reports it.</summary>
    public bool IsComplete { get; init; }

    public IReadOnlyList<int> Callers { get; init; } = [1, 16, 64, 256];

    public IReadOnlyList<int> Replicas { get; init; } = [1, 4, 16];

    /// <summary>The number of characters in the text of the record; the body is about 40 bytes longer.</summary>
    public int Characters { get; init; } = 3;

    /// <summary>The time for each contestant and number of callers and replicas, over all rounds.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(5);

    public int Rounds { get; init; } = 5;

    /// <summary>Host and port; null starts a server for this run.</summary>
    public string? Redis { get; init; }
}

/// <summary>A server, runtime or package that contestants need is missing. The message names the contestants and what to install.</summary>
internal sealed class MissingServerException(string message) : Exception(message);

/// <summary>
/// Lets the contestants of a heat take turns in short rounds, so that a machine that becomes faster or slower meanwhile
/// affects all of them, and reports the median of each. Both sides of a request run in this process, and the bytes are those of
/// both; those of a foreign contestant run in processes of their own.
/// </summary>
internal static class Comparison
{
    /// <exception cref="MissingServerException">
    /// A contestant cannot run and <see cref="ComparisonOptions.IsComplete"/> is set, or none can run.
    /// </exception>
    public static async Task<IReadOnlyList<Row>> RunAsync(ComparisonOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        var chosen = await ChooseAsync(options, output);
        await using var redis = options.Redis is null && Need(Requirement.Redis) ? await RedisServer.StartAsync() : null;
        await using var nats = Need(Requirement.Nats) ? await NatsServer.StartAsync() : null;
        var brokers = new Brokers(options.Redis ?? redis?.Address ?? "", nats?.Address ?? "");
        await WriteHeadAsync(options, output);
        var rows = new List<Row>();
        foreach (var heat in chosen.GroupBy(c => c.Heat))
        {
            foreach (var replicas in options.Replicas)
            {
                Contestant[] contestants = [.. heat.Where(c => replicas == 1 || c.HasReplicas)];
                rows.AddRange(await CompareAsync(contestants, replicas, brokers, options, output, cancellationToken));
            }
        }

        return rows;

        bool Need(Requirement server) => chosen.Any(c => c.Needs.Contains(server));
    }

    private static async Task<Contestant[]> ChooseAsync(ComparisonOptions options, TextWriter output)
    {
        var chosen = Contestant.All
            .Where(c => options.Contestants?.Any(name => c.Name.StartsWith(name, StringComparison.OrdinalIgnoreCase)) ?? true)
            .Select(c => (Contestant: c, Missing: c.Needs.FirstOrDefault(need => !IsMet(need))))
            .ToArray();
        Contestant[] able = [.. chosen.Where(c => c.Missing is null).Select(c => c.Contestant)];
        string[] lines =
        [
            .. from c in chosen
               where c.Missing is not null
               select $"{c.Contestant.Name} is left out, because {c.Missing.Name} is missing. {c.Missing.Remedy}",
        ];
        if (lines.Length > 0 && (options.IsComplete || able.Length == 0))
        {
            throw new MissingServerException(string.Join(Environment.NewLine, lines));
        }

        foreach (var line in lines)
        {
            await output.WriteLineAsync(line);
        }

        return able;

        bool IsMet(Requirement need) => need.IsMet() || (need == Requirement.Redis && options.Redis is not null);
    }

    private static async Task<List<Row>> CompareAsync(
        Contestant[] contestants,
        int replicas,
        Brokers brokers,
        ComparisonOptions options,
        TextWriter output,
        CancellationToken cancellationToken)
    {
        var rows = new List<Row>();
        var echoes = new List<IEcho>();
        try
        {
            foreach (var contestant in contestants)
            {
                echoes.Add(await contestant.StartAsync(brokers, replicas));
                await Callers.WarmUpAsync(echoes[^1], options, cancellationToken);
            }

            foreach (var callers in options.Callers)
            {
                var results = contestants.Select(_ => new List<Measurement>()).ToArray();
                for (var round = 0; round < options.Rounds; round++)
                {
                    for (var turn = 0; turn < contestants.Length; turn++)
                    {
                        var i = (round + turn) % contestants.Length; // another contestant begins each round
                        var time = options.Time / options.Rounds;
                        results[i].Add(await Callers.MeasureAsync(echoes[i], callers, options.Characters, time, cancellationToken));
                    }
                }

                var those = contestants.Select((c, i) => RowOf(c.Name, callers, replicas, results[i])).ToList();
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

    private static Row RowOf(string contestant, int callers, int replicas, List<Measurement> measured) => new(
        contestant,
        callers,
        replicas,
        Median(measured, m => m.RequestsPerSecond),
        Median(measured, m => m.P50),
        Median(measured, m => m.P99),
        measured[0].BytesPerRequest is null ? null : Median(measured, m => m.BytesPerRequest!.Value));

    private static double Median(List<Measurement> measurements, Func<Measurement, double> figure) =>
        measurements.Select(figure).Order().ElementAt(measurements.Count / 2);

    private static async Task WriteHeadAsync(ComparisonOptions options, TextWriter output)
    {
        var round = options.Time.TotalSeconds / options.Rounds;
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} processors, .NET {Environment.Version}, {options.Rounds} rounds of {round:N1} s, medians"));
        await output.WriteLineAsync(Columns(
            "contestant", "callers", "replicas", "requests/s", "p50 µs", "p99 µs", "B/request", "CPU µs", "in relation to"));
    }

    // The processor time is that of both sides, without the broker. It is the cost for an application, and unlike
    // the other figures it hardly depends on other programs on the machine.
    private static string Line(Row row, double cpu, IEnumerable<Row> peers) => Columns(
        row.Contestant,
        Number(row.Callers, "0"),
        Number(row.Replicas, "0"),
        Number(row.RequestsPerSecond, "N0"),
        Number(row.P50Microseconds, "N1"),
        Number(row.P99Microseconds, "N1"),
        row.BytesPerRequest is { } bytes ? Number(bytes, "N0") : "-",
        Number(cpu, "N1"),
        string.Join(", ", peers.Select(p => $"{Number(row.RequestsPerSecond / p.RequestsPerSecond, "0.00")} × {p.Contestant}")));

    private static string Columns(params ReadOnlySpan<string> t) =>
        $"{t[0],-26} {t[1],7} {t[2],8} {t[3],11} {t[4],9} {t[5],9} {t[6],10} {t[7],7}  {t[8]}".TrimEnd();

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
