using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>The start of a bus: which transport runs, what is logged, and which section messages name.</summary>
public sealed class StartTests
{
    private static readonly RequestTopic<int, int> s_topic = new("start.ask");

    [Test]
    public async Task The_only_transport_runs_when_the_configuration_names_none()
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddTransport(new("Only", [], _ => new ScriptedTransport())));

        Assert.That(node.Log.Has(LogLevel.Information, "started on the Only transport"), Is.True);
    }

    [Test]
    public async Task The_in_memory_transport_runs_when_several_were_added_and_none_is_named()
    {
        await using var node = await TestNode.StartAsync(
            bus => bus.AddTransport(new("Other", [], _ => new ScriptedTransport())).AddInMemoryTransport());

        Assert.That(node.Log.Has(LogLevel.Information, "started on the InMemory transport"), Is.True);
    }

    [Test]
    public void Several_transports_need_a_configured_name_unless_one_is_in_memory() => Assert.That(
        async () => await TestNode.StartAsync(bus => bus
            .AddTransport(new("One", [], _ => new ScriptedTransport()))
            .AddTransport(new("Two", [], _ => new ScriptedTransport()))),
        Throws.TypeOf<OptionsValidationException>()
            .With.Message.Contains("ServiceMesh:Transport is missing")
            .And.Message.Contains("One, Two"));

    [Test]
    public async Task The_start_line_names_transport_server_and_topics()
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport().AddHandler(s_topic, (x, _) => x));

        var id = node.Bus.DescribeNode().Id;
        Assert.That(
            node.Log.Lines, Does.Contain($"Node {id} started on the InMemory transport (this process) and is subscribed to start.ask"));
    }

    [Test]
    public async Task The_start_line_names_the_first_twenty_of_many_topics()
    {
        await using var node = await TestNode.StartAsync(bus =>
        {
            bus.AddInMemoryTransport();
            for (var i = 0; i < 25; i++)
            {
                bus.AddHandler(new RequestTopic<int, int>($"many.t{i:00}"), (x, _) => x);
            }
        });

        Assert.That(node.Log.Has(LogLevel.Information, "many.t18, many.t19 and 5 more"), Is.True);
    }

    [TestCase(true, false)]
    [TestCase(false, true)]
    public async Task A_missing_section_is_logged_as_a_warning(bool exists, bool warns)
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport(), exists ? [("NodeName", "here")] : []);

        Assert.That(node.Log.Has(LogLevel.Warning, "The configuration section ServiceMesh does not exist"), Is.EqualTo(warns));
    }

    [Test]
    public async Task Options_can_be_set_in_code_without_a_section()
    {
        using var host = Build(services => services
            .AddServiceMesh(options => (options.NodeName, options.Request.Timeout) = ("coded", TimeSpan.FromSeconds(3)))
            .AddInMemoryTransport().AddHandler(s_topic, (_, context) => (int)context.Remaining.TotalSeconds));
        await host.StartAsync().Soon();
        var bus = host.Services.GetRequiredService<IServiceBus>();

        Assert.That(bus.DescribeNode().Name, Is.EqualTo("coded"));
        Assert.That(await bus.RequestAsync(s_topic, 0).Soon(), Is.LessThanOrEqualTo(3));
        await host.StopAsync().Soon();
    }

    [Test]
    public void Options_of_a_named_bus_can_be_set_in_code_and_are_checked() => Assert.That(
        async () =>
        {
            using var host = Build(
                services => services.AddServiceMesh("orders", options => options.Handler.MaxQueued = -1).AddInMemoryTransport());
            await host.StartAsync().Soon();
        },
        Throws.TypeOf<OptionsValidationException>().With.Message.Contains("ServiceMesh:Handler:MaxQueued is -1"));

    [Test]
    public void A_message_names_the_section_that_a_named_bus_was_given() => Assert.That(
        async () =>
        {
            var section = Configuration(
                ("Own:OrdersMesh:Handler:MaxQueued", "-1"),
                ("Own:OrdersMesh:Serializer", "Jsn"),
                ("Own:OrdersMesh:Tranport", "x")).GetSection("Own:OrdersMesh");
            using var host = Build(services => services.AddServiceMesh("orders", section).AddInMemoryTransport());
            await host.StartAsync().Soon();
        },
        Throws.TypeOf<OptionsValidationException>()
            .With.Message.Contains("Own:OrdersMesh:Handler:MaxQueued is -1")
            .And.Message.Contains("Own:OrdersMesh:Serializer is 'Jsn'")
            .And.Message.Contains("Own:OrdersMesh:Tranport is not a known key")
            .And.Message.Not.Contains("ServiceMesh:"));

    [Test]
    public async Task A_refusal_names_the_section_that_a_named_bus_was_given()
    {
        using var host = Build(services => services
            .AddServiceMesh("orders", Configuration(("OrdersMesh:Request:MaxBodyBytes", "1")).GetSection("OrdersMesh"))
            .AddInMemoryTransport().AddHandler(s_topic, (x, _) => x));
        await host.StartAsync().Soon();

        var reply = await host.Services.GetRequiredKeyedService<IServiceBus>("orders").TryRequestAsync(s_topic, 12345).Soon();

        Assert.That(reply.Failure!.Message, Does.Contain("raise OrdersMesh:Request:MaxBodyBytes"));
        await host.StopAsync().Soon();
    }

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(s => KeyValuePair.Create<string, string?>(s.Key, s.Value))).Build();

    private static IHost Build(Action<IServiceCollection> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        configure(builder.Services);
        return builder.Build();
    }
}
