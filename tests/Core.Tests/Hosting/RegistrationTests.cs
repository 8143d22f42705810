using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class RegistrationTests
{
    private static readonly RequestTopic<int, int> s_topic = new("a.b");

    [Test]
    public void A_second_bus_with_the_same_name_or_without_one_is_refused()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh();
        Assert.That(() => services.AddServiceMesh(), Throws.InvalidOperationException.With.Message.Contains("Give a second bus a name"));
        services.AddServiceMesh("orders");
        Assert.That(() => services.AddServiceMesh("orders"), Throws.InvalidOperationException.With.Message.Contains("'orders'"));
    }

    [Test]
    public void A_transport_that_is_added_twice_is_refused() =>
        Assert.That(
            () => new ServiceCollection().AddServiceMesh()
                .AddInMemoryTransport()
                .AddTransport(new("inmemory", [], _ => new ScriptedTransport())),
            Throws.InvalidOperationException.With.Message.Contains("inmemory transport was added twice"));

    [Test]
    public async Task Each_keyed_bus_has_its_own_handlers_middleware_and_options()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.AddServiceMesh().AddInMemoryTransport().AddHandler(s_topic, (x, _) => x + 1);
        builder.Services.AddServiceMesh("other").AddInMemoryTransport().AddHandler(s_topic, (x, _) => x + 100)
            .AddHandlerMiddleware<Refusing>().Configure(o => o.NodeName = "other-node");
        builder.Services.AddServiceMesh("empty").AddInMemoryTransport();
        using var host = builder.Build();
        await host.StartAsync().Soon();
        var bus = host.Services.GetRequiredService<IServiceBus>();
        var other = host.Services.GetRequiredKeyedService<IServiceBus>("other");
        Assert.That(await bus.RequestAsync(s_topic, 1).Soon(), Is.EqualTo(2));
        Assert.That((await other.TryRequestAsync(s_topic, 1).Soon()).Status, Is.EqualTo(StatusCode.Forbidden));
        Assert.That(
            (await host.Services.GetRequiredKeyedService<IServiceBus>("empty").TryRequestAsync(s_topic, 1).Soon()).Status,
            Is.EqualTo(StatusCode.NotFound));
        Assert.That(other.DescribeNode().Name, Is.EqualTo("other-node"));
        Assert.That(bus.DescribeNode().Id, Is.Not.EqualTo(other.DescribeNode().Id));
        await host.StopAsync().Soon();
    }

    [Test]
    public async Task Two_handlers_of_one_topic_in_one_group_are_refused_at_start_by_name()
    {
        var failure = (await Assert.ThrowsAsync<InvalidOperationException>(() => TestNode.StartAsync(
            bus => bus.AddInMemoryTransport().AddHandler(s_topic, (x, _) => x).AddHandler(s_topic, (x, _) => x)).Soon()))!;
        Assert.That(
            failure.Message,
            Does.Contain("request handler delegate on 'a.b' in group '_default' cannot be added")
                .And.Contains("give one of them another group"));
    }

    [Test]
    public async Task A_topic_may_have_several_handlers_in_different_groups_or_without_one()
    {
        var signal = new SignalPattern<int>("a.*");
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport()
            .AddHandler(s_topic, (x, _) => x).AddHandler(s_topic, (x, _) => x, o => o.Group = "g")
            .AddHandler(signal, (_, _) => { }).AddHandler(signal, (_, _) => { })
            .AddHandler(signal, (_, _) => { }, o => o.Group = "g").AddHandler(signal, (_, _) => { }, o => o.Group = "h"));
        Assert.That(node.Bus.DescribeNode().Subscriptions, Has.Count.EqualTo(7));
        Assert.That(
            async () => await node.Bus.SubscribeAsync(signal, (_, _) => Task.CompletedTask, new HandlerOptions { Group = "g" }).Soon(),
            Throws.InvalidOperationException.With.Message.Contains("'a.*' in group 'g'"));
        Assert.That(node.Bus.DescribeNode().Subscriptions, Has.Count.EqualTo(7), "a refused handler is not registered");
    }

    [TestCaseSource(nameof(BadOptions))]
    public void An_option_of_a_handler_outside_its_range_is_refused_when_it_is_added(Action<HandlerOptions> configure, string expected)
    {
        var failure = Assert.Throws<ArgumentException>(
            () => new ServiceCollection().AddServiceMesh().AddHandler(s_topic, (x, _) => x, configure))!;
        Assert.That(failure.Message, Does.Contain("request handler delegate on 'a.b'").And.Contains(expected));
    }

    [Test]
    public void An_application_cannot_handle_topics_of_the_bus_itself()
    {
        Assert.That(
            () => new ServiceCollection().AddServiceMesh().AddHandler(new RequestTopic<int, int>("mesh.mine"), (x, _) => x),
            Throws.ArgumentException.With.Message.Contains("'mesh.'"));
        Assert.That(
            () => new ServiceCollection().AddServiceMesh().AddHandler(new RequestTopic<int, int>("meshed"), (x, _) => x), Throws.Nothing);
        Assert.That(() => new ServiceCollection().AddServiceMesh().AddHandler(MeshTopics.Errors, (_, _) => { }), Throws.Nothing);
    }

    [Test]
    public async Task Each_bus_has_its_own_JSON_options()
    {
        var seen = Failsafe.Signal<string>();
        await using var node = await TestNode.StartAsync(bus => bus
            .AddInMemoryTransport()
            .ConfigureJson(json => json.PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.CamelCase)
            .AddHandler(
                new SignalTopic<Reading>("a"),
                (_, context) => seen.SetResult(System.Text.Encoding.UTF8.GetString(context.Message.Body.Span))));
        await node.Bus.SignalAsync(new SignalTopic<Reading>("a"), new Reading("pune", 1, null)).Soon();
        Assert.That(await seen.Task.Soon(), Is.EqualTo("""{"city":"pune","degrees":1,"note":null}"""));
    }

    private static IEnumerable<TestCaseData> BadOptions =>
    [
        Bad("Timeout", o => o.Timeout = TimeSpan.Zero, "Timeout is 00:00:00; allowed are 00:00:00.001"),
        Bad("MaxConcurrency", o => o.MaxConcurrency = 0, "MaxConcurrency is 0; allowed are 1 to 1000000"),
        Bad("MaxQueued", o => o.MaxQueued = -1, "MaxQueued is -1; allowed are 0 to 1000000"),
        Bad("Group", o => o.Group = "a b", "Group is 'a b'; letters, digits, '-' and '_' are allowed"),
        Bad("empty Group", o => o.Group = "", "Group is ''"),
        Bad("Ordered", o => (o.Ordered, o.MaxConcurrency) = (true, 1), "Ordered handles one message at a time"),
    ];

    private static TestCaseData Bad(string name, Action<HandlerOptions> configure, string expected) =>
        new TestCaseData(configure, expected).SetArgDisplayNames(name);

    internal sealed class Refusing : IHandlerMiddleware
    {
        public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next) =>
            new(ReplyMessage.Failure(StatusCode.Forbidden, "Not you."));
    }
}
