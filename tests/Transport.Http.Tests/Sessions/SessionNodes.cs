using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Nodes that have sessions with each other, over h2c.</summary>
internal static class SessionNodes
{
    public static Task<TestNode> ServerAsync(
        int port, Action<IServiceMeshBuilder> configure, params (string Key, string Value)[] settings) => HttpNodes.StartAsync(
            configure, [("Http:Listen", string.Create(CultureInfo.InvariantCulture, $"h2c://127.0.0.1:{port}")), .. settings]);

    public static Task<TestNode> CallerAsync(int[] ports, params (string Key, string Value)[] settings) => HttpNodes.StartAsync(
        null, [HttpNodes.Service("servers", ports), ("Http:Services:servers:Http2", "true"), .. settings]);

    /// <summary>How a node reaches the others now.</summary>
    public static IReadOnlyList<EndpointReport> States(this TestNode node) =>
        node.Services.GetRequiredKeyedService<MeshEndpoints>("").Node!.Describe(withEndpoints: true).Endpoints!;

    /// <summary>The sessions of a node.</summary>
    public static NodeSessions Sessions(this TestNode node) =>
        (NodeSessions)node.Services.GetRequiredKeyedService<MeshEndpoints>("").Node!.Sessions!;

    /// <summary>Ends when a node has a session with each of some others, which its own requests open.</summary>
    public static Task OpenAsync(this TestNode node, params TestNode[] others) => Failsafe.UntilAsync(async () =>
    {
        var missing = others.Select(other => other.Bus.DescribeNode().Id)
            .Where(id => !node.States().Any(s => s.Node == id && s.Uses == "session")).ToArray();
        foreach (var id in missing)
        {
            await node.Bus.TryRequestAsync(MeshTopics.Node(id), Unit.Value);
        }

        return missing.Length == 0;
    });
}
