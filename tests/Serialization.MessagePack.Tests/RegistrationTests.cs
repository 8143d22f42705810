using MessagePack.Resolvers;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>Adding MessagePack to a bus, and settings that are refused.</summary>
public sealed class RegistrationTests
{
    private static readonly RequestTopic<string, string> s_topic = new("registered.ask");

    [TestCase("MessagePack")]
    [TestCase("messagepack")]
    public async Task The_configuration_chooses_MessagePack_by_its_name_in_any_case(string name)
    {
        var seen = "";
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport().AddMessagePackSerializer().AddHandler(s_topic, (text, context) =>
            {
                seen = context.Message.ContentType;
                return text;
            }),
            [("Serializer", name)]);

        Assert.That(await node.Bus.RequestAsync(s_topic, "a"), Is.EqualTo("a"));
        Assert.That(seen, Is.EqualTo("application/msgpack"));
    }

    [Test]
    public async Task Settings_in_code_reach_the_bus()
    {
        var tree = new RequestTopic<List<List<List<int>>>, Unit>("registered.tree");
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport()
                .AddMessagePackSerializer(settings => settings.MaxDepth = 2)
                .AddHandler(tree, (_, _) => Unit.Value),
            [("Serializer", "MessagePack")]);

        var reply = await node.Bus.TryRequestAsync(tree, [[[1]]]);

        Assert.That(reply.Status, Is.EqualTo(StatusCode.BadRequest));
        Assert.That(reply.Failure!.Message, Does.Contain("deeper than 2 levels"));
    }

    [Test]
    public async Task Each_bus_has_its_own_serializer()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh("a").AddInMemoryTransport().AddMessagePackSerializer();
        services.AddServiceMesh("b").AddInMemoryTransport().AddMessagePackSerializer();
        await using var provider = services.BuildServiceProvider();
        Assert.That(
            provider.GetKeyedServices<IMessageSerializer>("a").Single(s => s.Name == "MessagePack"),
            Is.Not.SameAs(provider.GetKeyedServices<IMessageSerializer>("b").Single(s => s.Name == "MessagePack")));
    }

    [Test]
    public void Adding_MessagePack_twice_to_one_bus_is_refused() =>
        Assert.That(
            () => new ServiceCollection().AddServiceMesh().AddMessagePackSerializer().AddMessagePackSerializer(),
            Throws.InvalidOperationException.With.Message.Contains("AddMessagePackSerializer was called twice"));

    [Test]
    public void A_typeless_resolver_is_refused_even_inside_another_resolver()
    {
        AssertRefused(settings => settings.Resolver = TypelessContractlessStandardResolver.Instance, "typeless");
        AssertRefused(settings => settings.Resolver = TypelessObjectResolver.Instance, "typeless");
        var inside = CompositeResolver.Create(TypelessObjectResolver.Instance, StandardResolver.Instance);
        AssertRefused(settings => settings.Resolver = inside, "typeless");
    }

    [TestCase(0)]
    [TestCase(501)]
    public void A_depth_out_of_its_range_is_refused(int depth) =>
        AssertRefused(settings => settings.MaxDepth = depth, $"MessagePackSerializerSettings.MaxDepth is {depth}; allowed are 1 to 500");

    private static void AssertRefused(Action<MessagePackSerializerSettings> configure, string expected) =>
        Assert.That(
            () => new ServiceCollection().AddServiceMesh().AddMessagePackSerializer(configure),
            Throws.ArgumentException.With.Message.Contains(expected));
}
