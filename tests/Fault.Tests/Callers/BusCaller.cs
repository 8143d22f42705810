using ServiceMesh.Http;
using ServiceMesh.Support;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Faults.Tests;

/// <summary>A caller on the bus, which sends requests to servers that do not use ServiceMesh.</summary>
internal sealed class BusCaller : Caller
{
    private static readonly RequestTopic<string, FaultServerAnswer> s_ask = new("weather.ask");
    private static readonly RequestOptions s_idempotent = new() { IsIdempotent = true };

    private readonly TestNode _node;

    private BusCaller(TestNode node) => _node = node;

    public static async Task<Caller> StartAsync(
        IEnumerable<(string Key, string Value)> settings, Action<HttpTransportOptions> configure)
    {
        var ofHttp = settings.Select(s => ($"Http:{s.Key}", s.Value));
        return new BusCaller(await TestNode.StartAsync(
            mesh => mesh.AddHttpTransport(configure),
            [("Transport", "Http"), ("ErrorPolicy", "Ignore"), ("DrainTimeout", "00:00:01"), .. ofHttp]));
    }

    public override IServiceProvider Services => _node.Services;

    public override ValueTask DisposeAsync() => _node.DisposeAsync();

    protected override async Task<Seen> SeeAsync(bool isIdempotent, CancellationToken cancellationToken)
    {
        var reply = await _node.Bus.TryRequestAsync(s_ask, "pune", isIdempotent ? s_idempotent : null, cancellationToken);
        return new((int)reply.Status, reply.Failure?.Message ?? "", reply.IsSuccess ? reply.Value!.Server : null)
        {
            IsNotProcessed = reply.Failure?.NotProcessed ?? false,
        };
    }
}
