using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests.Conformance;

/// <summary>What the in-memory transport guarantees beyond the suite.</summary>
public class InMemoryNetworkTests
{
    private static readonly RequestTopic<string, string> s_ask = new("network.ask");

    [TestCase(true)]
    [TestCase(false)]
    public async Task Nodes_reach_each_other_only_on_a_network_that_both_were_given(bool shared)
    {
        var network = new InMemoryNetwork();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddHandler(s_ask, (input, _) => input));
        await using var caller = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(shared ? network : null));

        var reply = await caller.Bus.TryRequestAsync(s_ask, "hello");

        Assert.That(reply.Status, Is.EqualTo(shared ? StatusCode.Ok : StatusCode.NotFound));
    }
}
