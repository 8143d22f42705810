using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using NUnit.Framework;
using static ServiceMesh.Testing.Tests.Contracts;

namespace ServiceMesh.Testing.Tests;

public sealed class UseInMemoryTransportTests
{
    [TestCase("")]
    [TestCase("orders")]
    public async Task A_bus_joins_the_network_of_the_test_whatever_its_code_says(string bus)
    {
        await using var mesh = await MeshTestHost.StartAsync(handlers => handlers.AddHandler(Ask, (input, _) => input));
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.AddServiceMesh(bus, options => options.Transport = "Missing")
            .AddInMemoryTransport(new InMemoryNetwork());
        builder.Services.UseInMemoryTransport(mesh.Network, bus).AddMeshTesting(bus);
        using var host = builder.Build();
        await host.StartAsync();

        var answer = await host.Services.GetRequiredKeyedService<IServiceBus>(bus).RequestAsync(Ask, "a");
        await host.StopAsync();

        Assert.That(answer, Is.EqualTo("a"));
        Assert.That(host.Services.GetRequiredKeyedService<SentMessages>(bus).AssertOne(Ask), Is.EqualTo("a"));
    }

    [Test]
    public async Task Testing_is_added_once()
    {
        await using var mesh = await MeshTestHost.StartAsync(bus => bus.Services.AddMeshTesting().AddMeshTesting());

        await mesh.Bus.SignalAsync(News, "a");

        Assert.That(mesh.Sent.To(News), Is.EqualTo(["a"]));
        Assert.That(mesh.Services.GetRequiredService<SentMessages>(), Is.SameAs(mesh.Sent));
        Assert.That(mesh.Services.GetRequiredService<MeshFailures>(), Is.SameAs(mesh.Failures));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task What_handlers_demand_of_callers_is_left_out_in_memory(bool isReplacedLater)
    {
        var network = new InMemoryNetwork();
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.AddServiceMesh()
            .AddHandler(Ask, (input, _) => $"real {input}", options => options.RequireAuthorization().RequireAuthorization("staff"));
        builder.Services.UseInMemoryTransport(network);
        if (isReplacedLater)
        {
            builder.Services.AddServiceMesh().AddHandler(Other, (input, _) => input, options => options.RequireAuthorization("staff"));
            builder.Services.ReplaceHandler(Other, (input, _) => $"fake {input}").RemoveHandlers(Ask);
        }

        using var host = builder.Build();
        await host.StartAsync();
        await using var caller = await MeshTestHost.StartAsync(options: new() { Network = network });

        var answer = await caller.Bus.RequestAsync(isReplacedLater ? Other : Ask, "a");
        await host.StopAsync();

        Assert.That(answer, Is.EqualTo(isReplacedLater ? "fake a" : "real a"));
    }

    [Test]
    public void A_fake_demands_of_callers_what_the_handler_did()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Services.AddServiceMesh().AddInMemoryTransport()
            .AddHandler(Ask, (input, _) => $"real {input}", options => options.RequireAuthorization().RequireAuthorization("staff"));
        builder.Services.ReplaceHandler(Ask, (input, _) => $"fake {input}");
        using var host = builder.Build();

        Assert.That(() => host.StartAsync(), Throws.InvalidOperationException.With.Message.Contains("demands authorization"));
    }

    [Test]
    public async Task A_host_leaves_out_what_its_handlers_demand_of_callers()
    {
        await using var mesh = await MeshTestHost.StartAsync(
            bus => bus.AddHandler(Ask, (input, _) => input, options => options.RequireAuthorization("staff")));

        Assert.That(await mesh.Bus.RequestAsync(Ask, "a"), Is.EqualTo("a"));
    }
}
