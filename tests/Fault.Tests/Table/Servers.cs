using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>Three servers with one log; the first is broken.</summary>
internal sealed class Servers : IAsyncDisposable
{
    private Servers(FaultServer broken, FaultServer[] healthy, ExecutionLog log) => (Broken, Healthy, Log) = (broken, healthy, log);

    public FaultServer Broken { get; }

    public IReadOnlyList<FaultServer> Healthy { get; }

    public IReadOnlyList<FaultServer> All => [Broken, .. Healthy];

    public ExecutionLog Log { get; }

    public static async Task<Servers> StartAsync(Fault fault)
    {
        var log = new ExecutionLog();
        return new(
            await FaultServer.StartAsync(fault, log),
            [await FaultServer.StartAsync(log: log), await FaultServer.StartAsync(log: log)],
            log);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in All)
        {
            await server.DisposeAsync();
        }
    }
}
