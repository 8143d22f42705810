using Microsoft.Extensions.Hosting;

namespace ServiceMesh;

/// <summary>
/// Ties a bus to the host. It starts in the order in which services were added, so what is added after it finds the bus
/// running. It drains before any other service stops, and disconnects after all of them, so that they can still send.
/// </summary>
internal sealed class MeshHostedService(NodeLifetime lifetime) : IHostedLifecycleService
{
    public Task StartAsync(CancellationToken cancellationToken) => lifetime.StartAsync(cancellationToken);

    public Task StoppingAsync(CancellationToken cancellationToken) => lifetime.DrainAsync();

    public Task StoppedAsync(CancellationToken cancellationToken) => lifetime.StopAsync();

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
