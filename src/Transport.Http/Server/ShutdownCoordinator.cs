using Microsoft.Extensions.Hosting;

namespace ServiceMesh.Http;

/// <summary>
/// Runs between the drain of the bus and the end of the web server: it lets the other nodes read their last replies and end their
/// watches, so that a server that waits for its connections need not wait for theirs.
/// </summary>
internal sealed class ShutdownCoordinator(MeshEndpoints endpoints) : IHostedLifecycleService
{
    public Task StoppingAsync(CancellationToken cancellationToken) => endpoints.ReleaseWatchersAsync(null, cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
