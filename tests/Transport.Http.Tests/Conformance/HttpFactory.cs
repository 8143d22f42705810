using System.Net;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Conformance;
using ServiceMesh.MessagePack;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>The whole suite over real sockets. All nodes have one list of addresses, their own among them, as replicas do.</summary>
public abstract class HttpFactory : TransportFactory
{
    // One more than any test starts.
    private const int Nodes = 9;

    private readonly int[] _ports = [.. Enumerable.Repeat(0, 4 * Nodes).Select(_ => FreePort.Next()).Distinct().Take(Nodes)];

    protected abstract string Scheme { get; }

    public override TransportCapabilities Capabilities { get; } = new()
    {
        System = "http",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.Cancellation
            | TransportFeatures.Authorization,
        ReceiverCount = ReceiverCount.Subscriptions,
        ReleasesTokens = true,
    };

    public override void AddTransport(IServiceMeshBuilder mesh) => mesh.AddHttpTransport();

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
    [
        ("Transport", "Http"),
        ("Http:Listen", $"{Scheme}://{IPAddress.Loopback}:{_ports[node]}"),
        ("Http:Services:mesh:Address", $"static:{string.Join(',', _ports.Select(port => $"{IPAddress.Loopback}:{port}"))}"),
    ];

    // Nodes find each other within a round trip or two, which no event tells a test of.
    public override async Task SettleAsync(IReadOnlyList<MeshNode> running)
    {
        // With what they handle: a node can be known from before it had subscribed.
        var all = running.Select(node => node.Bus.DescribeNode()).Select(n => (n.Id, n.Subscriptions.Count)).ToHashSet();
        foreach (var node in running)
        {
            await Failsafe.UntilAsync(async () =>
                all.SetEquals((await node.Bus.ListNodesAsync()).Select(n => (n.Id, n.Subscriptions.Count))));
        }
    }
}

/// <summary>HTTP/1.1 in the clear.</summary>
public class Http1Factory : HttpFactory
{
    protected override string Scheme => "http";
}

/// <summary>The same, with bodies as MessagePack.</summary>
public sealed class Http1WithMessagePackFactory : Http1Factory
{
    public override IMessageSerializer Bodies { get; } = new MessagePackMessageSerializer();
}

/// <summary>HTTP/2 in the clear, as it is spoken without negotiation.</summary>
public sealed class CleartextHttp2Factory : HttpFactory
{
    protected override string Scheme => "h2c";

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [.. base.SettingsOf(node), ("Http:Services:mesh:Http2", "true")];
}

/// <summary>HTTP/2 by negotiation over TLS, with a certificate of the test's own.</summary>
public sealed class HttpsFactory : HttpFactory, IDisposable
{
    private TestCertificates? _certificates;

    protected override string Scheme => "https";

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
    [
        .. base.SettingsOf(node),
        ("Http:Services:mesh:Tls", "true"),
        ("Http:Tls:Certificate", Certificates.Server),
        ("Http:Tls:CertificateKey", Certificates.ServerKey),
        ("Http:Tls:TrustedRoots", Certificates.Authority),
    ];

    private TestCertificates Certificates => _certificates ??= new();

    public override Task StopAsync()
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose() => _certificates?.Dispose();
}

/// <summary>Over each of the HTTP networks.</summary>
public sealed class OverHttpAttribute() : OverNetworksAttribute(
    typeof(Http1Factory), typeof(Http1WithMessagePackFactory), typeof(CleartextHttp2Factory), typeof(HttpsFactory));
