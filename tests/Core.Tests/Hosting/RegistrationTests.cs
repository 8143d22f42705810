using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class RegistrationTests
{
    private static readonly RequestTopic<int, int> s_topic = new("a.b");

    [TestCase("")]
    [TestCase("orders")]
    public async Task Modules_that_add_the_bus_again_add_to_the_same_one(string name)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection([new("Mesh:NodeName", "shop")]);
        var (network, sums) = (new InMemoryNetwork(), new RequestTopic<int, int>("a.sum"));
        var first = builder.Services.AddServiceMesh(name).AddHandler(s_topic, (x, _) => x + 1);
        var second = builder.Services.AddServiceMesh(name, builder.Configuration.GetSection("Mesh"))
            .AddInMemoryTransport().AddHandler(sums, (x, _) => x + 2);
        builder.Services.AddServiceMesh(name, builder.Configuration.GetSection("Mesh")).AddInMemoryTransport(network);
        builder.Services.AddServiceMesh(name).AddInMemoryTransport(network);
        builder.Services.AddServiceMesh(name, o => o.Handler.MaxQueued = 7);
        builder.Services.AddServiceMesh(name, o => (o.Handler.MaxQueued, o.Handler.MaxConcurrency) = (7, 5));
        using var host = builder.Build();
        await host.StartAsync().Soon();

        var bus = host.Services.GetRequiredKeyedService<IServiceBus>(name);
        Assert.That(second, Is.SameAs(first));
        Assert.That((await bus.RequestAsync(s_topic, 1).Soon(), await bus.RequestAsync(sums, 1).Soon()), Is.EqualTo((2, 3)));
        Assert.That(bus.DescribeNode().Name, Is.EqualTo("shop"));
        Assert.That(host.Services.GetKeyedServices<IServiceBus>(name), Has.Exactly(1).Items);
        var options = host.Services.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get(name);
        Assert.That((options.Handler.MaxQueued, options.Handler.MaxConcurrency), Is.EqualTo((7, 5)));
        await host.StopAsync().Soon();
    }

    [Test]
    public void What_is_set_in_code_comes_after_the_section_whichever_call_brings_it()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh(o => o.NodeName = "code");
        services.AddServiceMesh(Section("A", ("NodeName", "file"))).AddInMemoryTransport();

        using var provider = services.BuildServiceProvider();
        Assert.That(provider.GetRequiredService<IOptionsMonitor<ServiceMeshOptions>>().Get("").NodeName, Is.EqualTo("code"));
    }

    [Test]
    public void Two_sections_of_one_bus_are_refused_with_their_names()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh(Section("A", ("NodeName", "x")));
        Assert.That(
            () => services.AddServiceMesh(Section("B", ("NodeName", "x"))),
            Throws.InvalidOperationException.With.Message.Contains("the section 'A'").And.Message.Contains("the section 'B'")
                .And.Message.Contains("give a second bus a name"));
        Assert.That(
            () => services.AddServiceMesh(Section("A", ("NodeName", "y"))),
            Throws.InvalidOperationException.With.Message.Contains("the section 'A'").And.Message.Contains("differ in 'NodeName'"));
        Assert.That(() => services.AddServiceMesh(Section("A", ("NodeName", "x"))), Throws.Nothing);
        services.AddServiceMesh("orders").AddInMemoryTransport();
        Assert.That(
            () => services.AddServiceMesh("orders", Section("A")),
            Throws.InvalidOperationException.With.Message.Contains("the bus 'orders'")
                .And.Message.Contains("Call it with the section first"));
    }

    [Test]
    public async Task Two_calls_that_set_one_option_differently_are_refused_at_start()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.AddServiceMesh(o => (o.NodeName, o.Request.Timeout) = ("a", TimeSpan.FromSeconds(1))).AddInMemoryTransport();
        builder.Services.AddServiceMesh(o => (o.NodeName, o.Request.Timeout) = ("a", TimeSpan.FromSeconds(2)));
        using var host = builder.Build();

        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync().Soon());
        Assert.That(failure!.Failures, Is.EqualTo(
        [
            "ServiceMesh:Request:Timeout is set to '00:00:01' by one call of AddServiceMesh and to '00:00:02' by another. "
                + "Set it in one place.",
        ]));
    }

    [Test]
    public void Two_different_transports_of_one_name_are_refused()
    {
        var registration = new TransportRegistration("Other", [], _ => new ScriptedTransport());
        var bus = new ServiceCollection().AddServiceMesh().AddInMemoryTransport(new()).AddTransport(registration);

        Assert.That(() => bus.AddTransport(registration), Throws.Nothing);
        Assert.That(
            () => bus.AddTransport(new("inmemory", [], _ => new ScriptedTransport())),
            Throws.InvalidOperationException.With.Message.Contains("inmemory transport was added twice"));
        Assert.That(() => bus.AddInMemoryTransport(new()), Throws.InvalidOperationException.With.Message.Contains("different networks"));
    }

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

    private static IConfigurationSection Section(string name, params (string Key, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.Select(s => KeyValuePair.Create<string, string?>($"{name}:{s.Key}", s.Value))).Build()
        .GetSection(name);

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
