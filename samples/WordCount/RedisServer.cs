using System.Globalization;
using System.Net;
using Garnet;
using Microsoft.Extensions.Hosting;

namespace ServiceMesh.Samples.WordCount;

/// <summary>Garnet, a server of Microsoft that speaks the protocol of Redis, within this process: nothing has to be installed.</summary>
internal sealed class RedisServer(IPEndPoint address) : IHostedService, IDisposable
{
    private GarnetServer? _server;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _server = new(
        [
            "--bind", $"{address.Address}", "--port", address.Port.ToString(CultureInfo.InvariantCulture), "-q",
            "--memory", "256m", "--index", "16m", // much less than a server that has the machine for itself
        ]);
        _server.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _server?.Dispose();
}
