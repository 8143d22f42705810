using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Wolverine;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// Wolverine's <c>InvokeAsync</c>, as its documentation shows it. It calls the handler in the process of the caller with the caller's own
/// object: there is no body, no queue and no change of thread, so there are no replicas.
/// </summary>
internal sealed class WolverineEcho : IEcho
{
    private readonly IHost _host;

    private WolverineEcho(IHost host) => _host = host;

    public static async Task<IEcho> StartAsync(Ground ground, int replicas)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddWolverine(wolverine => wolverine.Discovery.DisableConventionalDiscovery().IncludeType<EchoReadingHandler>());
        var host = builder.Build();
        await host.StartAsync();
        return new WolverineEcho(host);
    }

    // A bus for each request, as the scope of a request has its own.
    public Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken) =>
        _host.MessageBus().InvokeAsync<Reading>(reading, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}

/// <summary>Found by its name; the code that calls it, which Wolverine generates, needs it to be public.</summary>
public sealed class EchoReadingHandler
{
    public static Reading Handle(Reading reading) => reading;
}
