using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace ServiceMesh.Testing;

/// <summary>
/// A host with a bus in memory, for one test. Several hosts that share an <see cref="InMemoryNetwork"/> reach each other. What the bus
/// sends is recorded, and a test can make topics fail. Dispose it at the end of the test. Thread-safe.
/// </summary>
/// <remarks>
/// It reads no configuration files, environment or command line, logs to no place, and drains for at most 5 seconds when it stops. The
/// transport is the in-memory one unless the settings name another that <c>configure</c> adds. What handlers demand of callers
/// (<see cref="HandlerOptions.RequireAuthorization"/>) is left out on the in-memory transport, which does not know callers.
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Testing.cs" region="host" />
/// </example>
public sealed class MeshTestHost : IAsyncDisposable
{
    private static readonly TimeSpan s_shutdown = TimeSpan.FromSeconds(10);

    private readonly IHost _host;
    private readonly MeshTestHostOptions _options;

    private MeshTestHost(IHost host, MeshTestHostOptions options)
    {
        _host = host;
        _options = options;
    }

    /// <summary>The bus.</summary>
    public IServiceBus Bus => Services.GetRequiredKeyedService<IServiceBus>(_options.BusName);

    /// <summary>The services of the host.</summary>
    public IServiceProvider Services => _host.Services;

    /// <summary>The network that the bus is on; give it to other hosts, or to an application by <c>UseInMemoryTransport</c>.</summary>
    public InMemoryNetwork Network => _options.Network!;

    /// <summary>What the bus has sent.</summary>
    public SentMessages Sent => Services.GetRequiredKeyedService<SentMessages>(_options.BusName);

    /// <summary>Makes what the bus sends fail.</summary>
    public MeshFailures Failures => Services.GetRequiredKeyedService<MeshFailures>(_options.BusName);

    /// <summary>Builds a host and starts it.</summary>
    /// <param name="configure">Adds handlers and what else the bus has; null for a host that only calls.</param>
    /// <param name="options">Network, clock, settings, services; null for defaults.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">A setting is wrong; the message names it.</exception>
    /// <exception cref="InvalidOperationException">
    /// A handler cannot be made, or needs what the transport lacks.
    /// </exception>
    public static async Task<MeshTestHost> StartAsync(
        Action<IServiceMeshBuilder>? configure = null, MeshTestHostOptions? options = null, CancellationToken cancellationToken = default)
    {
        var host = Build(configure, options);
        try
        {
            await host.StartAsync(cancellationToken).ConfigureAwait(false);
            return host;
        }
        catch
        {
            host._host.Dispose();
            throw;
        }
    }

    /// <summary>Starts another host on the same network, with the same clock and the same name of its bus.</summary>
    /// <param name="configure">Adds handlers and what else its bus has; null for a host that only calls.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <inheritdoc cref="StartAsync(Action{IServiceMeshBuilder}, MeshTestHostOptions, CancellationToken)" path="/exception"/>
    public Task<MeshTestHost> JoinAsync(Action<IServiceMeshBuilder>? configure = null, CancellationToken cancellationToken = default) =>
        StartAsync(configure, new() { Network = Network, Clock = _options.Clock, BusName = _options.BusName }, cancellationToken);

    /// <summary>Drains and stops, as a host does on Ctrl-C. Other hosts on the network then see that the node has left.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => _host.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await StopAsync().ConfigureAwait(false);
        }
        finally
        {
            await ((IAsyncDisposable)_host).DisposeAsync().ConfigureAwait(false);
        }
    }

    internal static MeshTestHost Build(Action<IServiceMeshBuilder>? configure, MeshTestHostOptions? options)
    {
        options = (options ?? new()) with { Network = options?.Network ?? new() };
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(
            [new("ServiceMesh:DrainTimeout", "00:00:05"), .. options.Settings.Select(s => new KeyValuePair<string, string?>(
                $"ServiceMesh:{s.Key}", s.Value))]);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = s_shutdown);
        if (options.Clock is { } clock)
        {
            builder.Services.AddSingleton(clock);
        }

        options.ConfigureServices?.Invoke(builder.Services);
        var mesh = builder.Services.AddServiceMesh(options.BusName, builder.Configuration.GetSection("ServiceMesh"))
            .AddInMemoryTransport(options.Network);
        configure?.Invoke(mesh);
        if (options.Settings.GetValueOrDefault("Transport") is not { } transport
            || transport.Equals(InMemoryTransportOptions.TransportName, StringComparison.OrdinalIgnoreCase))
        {
            MeshTestingServiceCollectionExtensions.WithoutAuthorization(builder.Services, options.BusName);
        }

        builder.Services.AddMeshTesting(options.BusName);
        return new(builder.Build(), options);
    }

    internal Task StartAsync(CancellationToken cancellationToken) => _host.StartAsync(cancellationToken);
}
