using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ServiceMesh.Support;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The bus as an application runs it, with all features: a calling node and answering nodes, each in its own host.
/// </summary>
internal sealed class MeshEcho : IEcho
{
    private readonly List<IHost> _hosts = [];
    private IServiceBus _caller = null!;

    // Idempotent, so that every layer of the HTTP client takes part, including the timer of an attempt.
    public static RequestTopic<Reading, Reading> Topic { get; } = new("bench.echo") { IsIdempotent = true };

    public Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken) =>
        _caller.RequestAsync(Topic, reading, cancellationToken);

    public static Task<IEcho> InMemoryAsync(bool passByReference, int replicas)
    {
        var network = new InMemoryNetwork();
        return StartAsync(
            [("Transport", "InMemory"), ("InMemory:PassByReference", $"{passByReference}")],
            mesh => mesh.AddInMemoryTransport(network),
            replicas);
    }

    public static Task<IEcho> RedisAsync(string wire, Brokers brokers, int replicas) => StartAsync(
        [("Transport", "Redis"), ("Redis:Configuration", brokers.Redis), ("Redis:Wire", wire), ("Redis:KeyPrefix", Brokers.NextPrefix())],
        mesh => mesh.AddRedisTransport(),
        replicas);

    /// <summary>The native wire with a key.</summary>
    public static Task<IEcho> SealedAsync(Brokers brokers, int replicas) => StartAsync(
        [
            ("Transport", "Redis"), ("Redis:Configuration", brokers.Redis), ("Redis:KeyPrefix", Brokers.NextPrefix()),
            ("Redis:Keys:0", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))),
        ],
        mesh => mesh.AddRedisTransport(),
        replicas);

    public static async Task<IEcho> HttpAsync(bool http2, int replicas)
    {
        var echo = new MeshEcho();
        int[] ports = [.. Enumerable.Range(0, replicas).Select(_ => FreePort.Next())];
        foreach (var port in ports)
        {
            await echo.AddAsync(
                [("Transport", "Http"), ("Http:Listen", $"{(http2 ? "h2c" : "http")}://127.0.0.1:{port}")], WithHttp, answers: true);
        }

        await echo.AddAsync(
            [
                ("Transport", "Http"),
                ("Http:Services:echo:Address", $"static:{string.Join(',', ports.Select(port => $"127.0.0.1:{port}"))}"),
                ("Http:Services:echo:Http2", $"{http2}"),
            ],
            WithHttp,
            answers: false);
        return echo;

        static void WithHttp(IServiceMeshBuilder mesh) => mesh.AddHttpTransport();
    }

    private static async Task<IEcho> StartAsync((string Key, string Value)[] settings, Action<IServiceMeshBuilder> transport, int replicas)
    {
        var echo = new MeshEcho();
        for (var i = 0; i < replicas; i++)
        {
            await echo.AddAsync(settings, transport, answers: true);
        }

        await echo.AddAsync(settings, transport, answers: false);
        return echo;
    }

    private async Task AddAsync((string Key, string Value)[] settings, Action<IServiceMeshBuilder> transport, bool answers)
    {
        var host = Build(settings, transport, answers);
        _hosts.Insert(0, host); // stopped in the reverse order
        await host.StartAsync();
        _caller = host.Services.GetRequiredService<IServiceBus>();
    }

    /// <summary>Builds one node: the caller, or a node that answers the echo.</summary>
    public static IHost Build((string Key, string Value)[] settings, Action<IServiceMeshBuilder> transport, bool answers)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(
            settings.Select(s => KeyValuePair.Create<string, string?>($"ServiceMesh:{s.Key}", s.Value)));
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var mesh = builder.Services.AddServiceMesh(builder.Configuration.GetSection("ServiceMesh"));
        transport(mesh);
        if (answers)
        {
            mesh.AddHandler(Topic, (reading, _) => reading);
        }

        return builder.Build();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.StopAsync();
            await ((IAsyncDisposable)host).DisposeAsync();
        }
    }
}
