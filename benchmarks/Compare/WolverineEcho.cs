using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Wolverine;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// Wolverine's <c>InvokeAsync</c>, as its documentation shows it. It calls the handler in the process of the caller with the caller's own
/// object, without a body, a queue or a change of thread, so it has no replicas.
/// </summary>
internal sealed class WolverineEcho : IEcho
{
    private readonly IHost _host;

    private WolverineEcho(IHost host) => _host = host;

    public static async Task<IEcho> StartAsync(Brokers brokers, int replicas)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddWolverine(wolverine => wolverine.Discovery.DisableConventionalDiscovery().IncludeType<EchoReadingHandler>());
        var host = builder.Build();
        await host.StartAsync();
        return new WolverineEcho(host);
    }

    // A bus for each request, as in an application, where the scope of each request has its own bus.
    public Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken) =>
        _host.MessageBus().InvokeAsync<Reading>(reading, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}

/// <summary>Wolverine finds the handler by its name. It is public because the generated code of Wolverine calls it.</summary>
public sealed class EchoReadingHandler
{
    public static Reading Handle(Reading reading) => reading;
}
