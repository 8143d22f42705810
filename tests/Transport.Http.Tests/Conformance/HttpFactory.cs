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

    /// <summary>The ports of the nodes.</summary>
    protected IReadOnlyList<int> Ports => _ports;

    /// <summary>The ports that the nodes call each other at.</summary>
    protected virtual IReadOnlyList<int> CalledPorts => _ports;

    /// <summary>Whether the nodes have sessions with each other before a test goes on; otherwise each message uses an exchange.</summary>
    protected virtual bool HasSessions => false;

    /// <summary><c>Http:Sessions</c> of the nodes.</summary>
    protected virtual string Sessions => HasSessions ? "Auto" : "Never";

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
        ("Http:Services:mesh:Address", $"static:{string.Join(',', CalledPorts.Select(port => $"{IPAddress.Loopback}:{port}"))}"),
        ("Http:Sessions", Sessions),
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
            if (HasSessions)
            {
                await Failsafe.UntilAsync(() => HasSessionsWithAllAsync(node, running));
            }
        }
    }

    // A session is opened by the first message to its node.
    private static async Task<bool> HasSessionsWithAllAsync(MeshNode node, IReadOnlyList<MeshNode> running)
    {
        var states = node.Services.GetRequiredKeyedService<MeshEndpoints>("").Node!.Describe(withEndpoints: true).Endpoints!;
        string[] missing =
        [
            .. running.Select(other => other.Id)
                .Where(id => id != node.Id && !states.Any(s => s.Node == id && s.Uses == EndpointReport.Session)),
        ];
        foreach (var id in missing)
        {
            if ((await node.Bus.TryRequestAsync(MeshTopics.Node(id), Unit.Value)).Status == StatusCode.HandlerFailed)
            {
                return true; // a step of the test ends every request before it is sent
            }
        }

        return missing.Length == 0;
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
public class CleartextHttp2Factory : HttpFactory
{
    protected override string Scheme => "h2c";

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [.. base.SettingsOf(node), ("Http:Services:mesh:Http2", "true")];
}

/// <summary>HTTP/2 by negotiation over TLS, with a certificate of the test's own.</summary>
public class HttpsFactory : HttpFactory, IDisposable
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

    public void Dispose()
    {
        _certificates?.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Sessions in the clear.</summary>
public sealed class CleartextSessionFactory : CleartextHttp2Factory
{
    protected override bool HasSessions => true;
}

/// <summary>Sessions over TLS.</summary>
public sealed class TlsSessionFactory : HttpsFactory
{
    protected override bool HasSessions => true;
}

/// <summary>HTTP/1.1 nodes behind a proxy to which the others speak HTTP/2: sessions are tried, and exchanges are used.</summary>
public abstract class ProxyFactory : HttpFactory
{
    private readonly int[] _fronts = [.. Enumerable.Repeat(0, 36).Select(_ => FreePort.Next()).Distinct().Take(9)];
    private ProxyServer? _proxy;

    protected override string Scheme => "http";

    protected override IReadOnlyList<int> CalledPorts => _fronts;

    protected override string Sessions => "Auto";

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [.. base.SettingsOf(node), ("Http:Services:mesh:Http2", "true")];

    public override async Task StartAsync() => _proxy = await StartProxyAsync([.. _fronts.Zip(Ports)]);

    public override Task StopAsync() => _proxy!.DisposeAsync().AsTask();

    protected abstract Task<ProxyServer> StartProxyAsync(IReadOnlyList<(int Front, int Back)> ports);
}

/// <summary>Behind a real nginx.</summary>
public sealed class NginxFactory : ProxyFactory
{
    protected override Task<ProxyServer> StartProxyAsync(IReadOnlyList<(int Front, int Back)> ports) => ProxyServer.StartNginxAsync(ports);
}

/// <summary>Behind a real HAProxy.</summary>
public sealed class HaproxyFactory : ProxyFactory
{
    protected override Task<ProxyServer> StartProxyAsync(IReadOnlyList<(int Front, int Back)> ports) =>
        ProxyServer.StartHaproxyAsync(ports);
}

/// <summary>
/// Over each of the HTTP networks. Sessions, and exchanges in the clear, run all themes. Exchanges over TLS, and with MessagePack, run the
/// main ones, and in a long run all. A long run is behind proxies too.
/// </summary>
/// <param name="everywhere">True for a main theme.</param>
public sealed class OverHttpAttribute(bool everywhere = false) : OverNetworksAttribute(
    [.. s_always, .. everywhere || TestLength.IsLong ? s_main : [], .. TestLength.IsLong ? OverProxiesAttribute.Proxies : []])
{
    private static readonly Type[] s_always =
        [typeof(Http1Factory), typeof(CleartextHttp2Factory), typeof(CleartextSessionFactory), typeof(TlsSessionFactory)];

    private static readonly Type[] s_main = [typeof(Http1WithMessagePackFactory), typeof(HttpsFactory)];
}

/// <summary>Behind each of the proxies.</summary>
public sealed class OverProxiesAttribute() : OverNetworksAttribute(Proxies)
{
    internal static readonly Type[] Proxies = [typeof(NginxFactory), typeof(HaproxyFactory)];
}
