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
}
