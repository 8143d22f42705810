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

    [TestCase(true)]
    [TestCase(false)]
    public async Task Nodes_join_the_network_of_their_containers(bool shared)
    {
        var network = new InMemoryNetwork();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddHandler(s_ask, (input, _) => input),
            services: services => services.AddSingleton(network));
        await using var caller = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(),
            services: services => services.AddSingleton(shared ? network : new()));

        var reply = await caller.Bus.TryRequestAsync(s_ask, "hello");

        Assert.That(reply.Status, Is.EqualTo(shared ? StatusCode.Ok : StatusCode.NotFound));
    }

    [Test]
    public async Task A_network_that_the_code_names_goes_before_that_of_the_container()
    {
        var network = new InMemoryNetwork();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddHandler(s_ask, (input, _) => input),
            services: services => services.AddSingleton(new InMemoryNetwork()));
        await using var caller = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport(network));

        Assert.That(await caller.Bus.RequestAsync(s_ask, "hello"), Is.EqualTo("hello"));
    }

    [TestCase("orders", StatusCode.Ok)]
    [TestCase("other", StatusCode.NotFound)]
    public async Task A_bus_with_a_name_joins_the_network_under_its_name(string key, StatusCode expected)
    {
        var network = new InMemoryNetwork();
        await using var server = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(network).AddHandler(s_ask, (input, _) => input));
        await using var caller = await TestNode.StartAsync(
            mesh =>
            {
                mesh.AddInMemoryTransport();
                mesh.Services.AddServiceMesh("orders").AddInMemoryTransport();
            },
            services: services => services.AddKeyedSingleton(key, network));

        var reply = await caller.Services.GetRequiredKeyedService<IServiceBus>("orders").TryRequestAsync(s_ask, "hello");

        Assert.That(reply.Status, Is.EqualTo(expected));
        Assert.That((await caller.Bus.TryRequestAsync(s_ask, "hello")).Status, Is.EqualTo(StatusCode.NotFound), "the bus without a name");
    }
}
