using Microsoft.Extensions.Hosting;

namespace ServiceMesh.Http;

/// <summary>
/// Between the drain of the bus and the end of the web server: lets the other nodes read their last answers and stop
/// watching, so that a server which waits for its connections has none to wait for.
/// </summary>
internal sealed class Farewell(MeshEndpoints endpoints) : IHostedLifecycleService
{
    public Task StoppingAsync(CancellationToken cancellationToken) => endpoints.FarewellAsync(null, cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
