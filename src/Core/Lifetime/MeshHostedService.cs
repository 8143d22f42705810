using Microsoft.Extensions.Hosting;

namespace ServiceMesh;

/// <summary>
/// Ties a bus to the host. It starts in the order in which services were added, so what is added after it finds the bus
/// running. It drains before any other service stops, and disconnects after all of them, so that they can still send.
/// </summary>
/// <param name="lifetime">
/// Made when the host starts, and not with this service: the host makes its services before it checks the options, and all that is
/// wrong with them is to be said at once.
/// </param>
internal sealed class MeshHostedService(Lazy<NodeLifetime> lifetime) : IHostedLifecycleService
{
    public Task StartAsync(CancellationToken cancellationToken) => lifetime.Value.StartAsync(cancellationToken);

    public Task StoppingAsync(CancellationToken cancellationToken) =>
        lifetime.IsValueCreated ? lifetime.Value.DrainAsync() : Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) =>
        lifetime.IsValueCreated ? lifetime.Value.StopAsync() : Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
