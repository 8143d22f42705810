using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>How messages travel over HTTP.</summary>
public enum HttpWay
{
    /// <summary>As frames on one long stream for each member, over h2c.</summary>
    Sessions,

    /// <summary>Each in an exchange of its own, over h2c.</summary>
    Exchanges,
}

/// <summary>The model over HTTP, with retries and hedging on: the caller reaches each member through a network of its own.</summary>
internal sealed class HttpModel : FaultModel
{
    private readonly HttpWay _way;
    private readonly int[] _ports = [.. Enumerable.Range(0, Nodes).Select(_ => FreePort.Next())];

    private HttpModel(HttpWay way, int seed)
        : base(seed) => _way = way;

    protected override TimeSpan ServesAgain => TimeSpan.FromSeconds(10);

    public static async Task<HttpModel> StartAsync(HttpWay way, int seed, TimeSpan[]? timeouts = null)
    {
        var model = new HttpModel(way, seed);
        for (var member = 1; member <= Members; member++)
        {
            model.AddNetwork(model._ports[member]);
        }

        await model.BeginAsync(timeouts);
        return model;
    }

    /// <summary>Stops a member as its host does, and starts it again at the same address.</summary>
    public async Task RestartAsync(int member)
    {
        await StopAsync(member);
        await StartAsync(member);
    }

    protected override Task<TestNode> StartNodeAsync(int node, Action<IServiceMeshBuilder> configure) => TestNode.StartAsync(
        mesh => configure(mesh.AddHttpTransport()),
        [
            ("Transport", "Http"), ("ErrorPolicy", "Ignore"), ("DrainTimeout", "00:00:03"),
            ("Http:Sessions", _way == HttpWay.Sessions ? "Auto" : "Never"),
            .. node == 0
                ?
                [
                    ("Http:Services:members:Address", $"static:{string.Join(',', Networks.Select(network => network.Address))}"),
                    ("Http:Services:members:Http2", "true"),
                    ("Http:Retry:HedgeAfter", "00:00:00.1"),
                ]
                : new[] { ("Http:Listen", string.Create(CultureInfo.InvariantCulture, $"h2c://127.0.0.1:{_ports[node]}")) },
        ]);
}
