using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The time and memory of a new process from <c>Main</c> to the first reply. The process is a node that answers one topic, as most do,
/// and sends a request to another process; in memory it sends the request to itself. The first line is a host without a bus, which
/// every application has.
/// </summary>
internal static class FirstReply
{
    /// <summary>The first argument of the started processes.</summary>
    public const string Command = "first-reply";

    private const string NoBus = "none";

    private static readonly RequestTopic<Reading, Reading> s_own = new("bench.own");

    public static IReadOnlyList<string> Transports { get; } = [NoBus, "inmemory", "redis-native", "redis-gilmour", "http-h1", "http-h2c"];

    /// <summary>Starts processes in turns, and prints the medians.</summary>
    public static async Task RunAsync(
        IReadOnlyList<string> transports, int rounds, string? redis, TextWriter output, CancellationToken cancellationToken)
    {
        await using var server = redis is null && transports.Any(t => t.StartsWith("redis", StringComparison.Ordinal))
            ? await RedisServer.StartAsync()
            : null;
        var results = transports.ToDictionary(t => t, _ => new List<Figures>());
        for (var round = 0; round < rounds; round++)
        {
            foreach (var transport in transports)
            {
                results[transport].Add(await MeasureAsync(transport, redis ?? server?.Address ?? "", cancellationToken));
            }
        }

        await output.WriteLineAsync(
            $"{Environment.ProcessorCount} processors, .NET {Environment.Version}, {rounds} processes each, medians");
        await output.WriteLineAsync($"{"transport",-14} {"ms",7} {"CPU ms",7} {"resident MiB",12} {"allocated KiB",13}");
        foreach (var (transport, figures) in results)
        {
            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{transport,-14} {Median(f => f.Milliseconds),7:N0} {Median(f => f.CpuMilliseconds),7:N0} "
                    + $"{Median(f => f.ResidentMiB),12:N1} {Median(f => f.AllocatedKiB),13:N0}"));

            double Median(Func<Figures, double> figure) => figures.Select(figure).Order().ElementAt(figures.Count / 2);
        }
    }

    /// <summary>The program of a started process.</summary>
    /// <param name="transport">One of <see cref="Transports"/>.</param>
    /// <param name="settings">Keys below <c>ServiceMesh</c> with their values, as <c>key=value</c>.</param>
    public static async Task<int> RunProcessAsync(string transport, IEnumerable<string> settings)
    {
        var began = Stopwatch.GetTimestamp();
        using var host = Build(transport, [.. settings.Select(s => s.Split('=', 2)).Select(s => (s[0], s[1]))]);
        await host.StartAsync();
        if (transport != NoBus)
        {
            await host.Services.GetRequiredService<IServiceBus>()
                .RequestAsync(transport == "inmemory" ? s_own : MeshEcho.Topic, new("jan", 17, -3.5));
        }

        var figures = new Figures(
            Stopwatch.GetElapsedTime(began).TotalMilliseconds,
            Environment.CpuUsage.TotalTime.TotalMilliseconds,
            Environment.WorkingSet / 1024.0 / 1024.0,
            GC.GetTotalAllocatedBytes(precise: true) / 1024.0);
        Console.WriteLine(JsonSerializer.Serialize(figures));
        await host.StopAsync();
        return 0;
    }

    private static IHost Build(string transport, (string Key, string Value)[] settings) => transport == NoBus
        ? Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings()).Build()
        : MeshEcho.Build(settings, mesh => WithTransport(mesh, transport).AddHandler(s_own, (reading, _) => reading), answers: false);

    private static IServiceMeshBuilder WithTransport(IServiceMeshBuilder mesh, string transport) =>
        transport == "inmemory" ? mesh.AddInMemoryTransport()
        : transport.StartsWith("redis", StringComparison.Ordinal) ? mesh.AddRedisTransport()
        : mesh.AddHttpTransport();

    private static async Task<Figures> MeasureAsync(string transport, string redis, CancellationToken cancellationToken)
    {
        var scheme = transport == "http-h2c" ? "h2c" : "http";
        var (mine, peers) = (FreePort.Next(), FreePort.Next());
        (string Key, string Value)[] common = transport.Split('-') switch
        {
            ["redis", var wire] =>
            [
                ("Transport", "Redis"), ("Redis:Configuration", redis), ("Redis:Wire", wire), ("Redis:KeyPrefix", $"bench-{mine}"),
            ],
            ["http", _] => [("Transport", "Http")],
            _ => [],
        };
        IEnumerable<(string Key, string Value)> SettingsOf(int port, int other) => transport.StartsWith("http", StringComparison.Ordinal)
            ? [
                .. common,
                ("Http:Listen", $"{scheme}://127.0.0.1:{port}"),
                ("Http:Services:peer:Address", $"static:127.0.0.1:{other}"),
                ("Http:Services:peer:Http2", $"{scheme == "h2c"}"),
            ]
            : common;

        if (common.Length == 0)
        {
            return await StartAsync(transport, [], cancellationToken);
        }

        using var peer = MeshEcho.Build([.. SettingsOf(peers, mine)], mesh => WithTransport(mesh, transport), answers: true);
        await peer.StartAsync(cancellationToken);
        var figures = await StartAsync(transport, SettingsOf(mine, peers), cancellationToken);
        await peer.StopAsync(cancellationToken);
        return figures;
    }

    private static async Task<Figures> StartAsync(
        string transport, IEnumerable<(string Key, string Value)> settings, CancellationToken cancellationToken)
    {
        // This program is its own executable, unless it was started with `dotnet FILE`.
        var (self, file) = (Environment.ProcessPath!, typeof(FirstReply).Assembly.Location);
        string[] program = Path.GetFileNameWithoutExtension(self) == "dotnet" ? [file] : [];
        string[] arguments = [.. program, Command, transport, .. settings.Select(s => $"{s.Key}={s.Value}")];
        using var process = ChildProcesses.Start(new ProcessStartInfo(self, arguments)
        {
            RedirectStandardOutput = true,
        });
        try
        {
            var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0
                ? JsonSerializer.Deserialize<Figures>(output)!
                : throw new InvalidOperationException($"The process for {transport} ended with {process.ExitCode}.");
        }
        finally
        {
            await ChildProcesses.EndAsync(process);
        }
    }

    private sealed record Figures(double Milliseconds, double CpuMilliseconds, double ResidentMiB, double AllocatedKiB);
}
