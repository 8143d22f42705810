using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class HealthCheckTests
{
    private readonly ScriptedTransport _transport = new();

    [Test]
    public async Task A_running_node_is_healthy_and_names_itself()
    {
        await using var node = await StartAsync();
        var entry = await EntryAsync(node.Services);
        Assert.That(entry.Status, Is.EqualTo(HealthStatus.Healthy));
        Assert.That(entry.Description, Does.Contain(node.Bus.DescribeNode().Id));
        Assert.That(entry.Data["node"], Is.EqualTo(node.Bus.DescribeNode().Id));
        Assert.That(entry.Data["subscriptions"], Is.EqualTo(node.Bus.DescribeNode().Subscriptions.Count));
        Assert.That(entry.Data["uptime"], Is.InstanceOf<TimeSpan>());
    }

    [Test]
    public async Task A_node_is_unhealthy_before_start_and_after_stop()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh().AddInMemoryTransport();
        services.AddHealthChecks().AddServiceMesh();
        await using (var provider = services.BuildServiceProvider())
        {
            var entry = await EntryAsync(provider);
            Assert.That((entry.Status, entry.Description), Is.EqualTo((HealthStatus.Unhealthy, "The bus has not started.")));
        }

        await using var node = await StartAsync();
        await node.StopAsync().Soon();
        var stopped = await EntryAsync(node.Services);
        Assert.That((stopped.Status, stopped.Description), Is.EqualTo((HealthStatus.Unhealthy, "The bus has stopped.")));
    }

    [TestCase(TransportState.Degraded, HealthStatus.Degraded)]
    [TestCase(TransportState.Unavailable, HealthStatus.Unhealthy)]
    public async Task The_state_and_reason_of_the_transport_are_reported(TransportState state, HealthStatus status)
    {
        await using var node = await StartAsync();
        _transport.Health = new(state, "no connection since noon");
        var entry = await EntryAsync(node.Services);
        Assert.That((entry.Status, entry.Description), Is.EqualTo((status, "The Scripted transport: no connection since noon")));
    }

    [Test]
    public async Task A_node_with_a_full_handler_is_degraded_and_the_worst_reason_is_first()
    {
        await using var node = await StartAsync(bus => bus.AddHandler(
            new RequestTopic<int, int>("full.house"), (x, _) => x, o => (o.MaxConcurrency, o.MaxQueued) = (1, 0)));
        var subscription = _transport.Subscriptions.Single(s => s.Pattern.ToString() == "full.house");
        var delivery = subscription.Offer(
            new() { Id = new("n", 1), Kind = MessageKind.Request, Topic = Topic.Parse("full.house"), ContentType = "" });
        var entry = await EntryAsync(node.Services);
        Assert.That(entry.Status, Is.EqualTo(HealthStatus.Degraded));
        Assert.That(entry.Description, Does.Contain("request handler delegate on 'full.house'").And.Contains("at its limits"));

        _transport.Health = new(TransportState.Unavailable, "down");
        entry = await EntryAsync(node.Services);
        Assert.That(entry.Status, Is.EqualTo(HealthStatus.Unhealthy));
        Assert.That(entry.Description, Does.Match("down.*at its limits"));

        delivery.Withdraw();
        _transport.Health = TransportHealth.Healthy;
        Assert.That((await EntryAsync(node.Services)).Status, Is.EqualTo(HealthStatus.Healthy));
    }

    [Test]
    public async Task A_draining_node_is_degraded()
    {
        await using var node = await StartAsync(bus => bus.AddHandler(new RequestTopic<int, int>("slow"), (x, _) => x));
        var delivery = _transport.Subscriptions.Single(s => s.Pattern.ToString() == "slow").Offer(
            new() { Id = new("n", 1), Kind = MessageKind.Request, Topic = Topic.Parse("slow"), ContentType = "" });
        var stopping = node.StopAsync();
        await Failsafe.Until(() => node.Bus.DescribeNode().IsDraining);
        var entry = await EntryAsync(node.Services);
        Assert.That(
            (entry.Status, entry.Description), Is.EqualTo((HealthStatus.Degraded, "The node is draining: it refuses new messages.")));
        delivery.Withdraw();
        await stopping.Soon();
    }

    [Test]
    public async Task An_unhealthy_bus_has_the_failure_status_of_its_registration()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh("orders").AddInMemoryTransport();
        services.AddHealthChecks().AddServiceMesh("orders-check", "orders", ["mesh"]).Services.Configure<HealthCheckServiceOptions>(
            o => o.Registrations.Single().FailureStatus = HealthStatus.Degraded);
        await using var provider = services.BuildServiceProvider();
        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync().Soon();
        Assert.That(report.Entries.Keys, Is.EqualTo(new[] { "orders-check" }));
        Assert.That(report.Entries["orders-check"].Status, Is.EqualTo(HealthStatus.Degraded));
        Assert.That(report.Entries["orders-check"].Tags, Is.EqualTo(new[] { "mesh" }));
    }

    private Task<TestNode> StartAsync(Action<IServiceMeshBuilder>? add = null) => TestNode.StartAsync(
        bus =>
        {
            _transport.AddTo(bus);
            add?.Invoke(bus);
        },
        services: services => services.AddHealthChecks().AddServiceMesh());

    private static async Task<HealthReportEntry> EntryAsync(IServiceProvider services) =>
        (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync().Soon()).Entries["servicemesh"];
}
