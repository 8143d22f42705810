using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class PresenceTests
{
    [Test]
    public async Task Any_node_answers_another_who_it_is_and_what_it_handles()
    {
        var network = new InMemoryNetwork();
        await using var asked = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport(network)
                .AddHandler(new RequestTopic<int, int>("weather.fetch"), (x, _) => x)
                .AddHandler(new SignalPattern<string>("weather.*"), (_, _) => { }, o => o.Group = "loggers")
                .AddHandler(new SignalPattern<string>("weather.log"), (_, _) => { }),
            [("NodeName", "weather")]);
        await using var asking = await TestNode.StartAsync(bus => bus.AddInMemoryTransport(network));
        var info = await asking.Bus.RequestAsync(MeshTopics.Node(asked.Bus.DescribeNode().Id), Unit.Value).Soon();
        Assert.That((info.Id, info.Name, info.Host, info.ProcessId, info.IsDraining),
            Is.EqualTo((asked.Bus.DescribeNode().Id, "weather", Environment.MachineName, Environment.ProcessId, false)));
        Assert.That(info.Subscriptions.Select(s => (s.Kind, s.Pattern, s.Group)), Is.EquivalentTo(new[]
        {
            (MessageKind.Request, "weather.fetch", "_default"),
            (MessageKind.Signal, "weather.*", "loggers"),
            (MessageKind.Signal, "weather.log", null),
            (MessageKind.Request, $"mesh.node.{info.Id}", "_default"),
        }));
    }

    [Test]
    public async Task Uptime_counts_on_the_clock_of_the_node()
    {
        var clock = new FakeTimeProvider();
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport(), services: services => services.AddSingleton<TimeProvider>(clock));
        clock.Advance(TimeSpan.FromMinutes(7));
        Assert.That(node.Bus.DescribeNode().Uptime, Is.EqualTo(TimeSpan.FromMinutes(7)));
    }

    [Test]
    public async Task A_node_reports_subscriptions_added_and_removed_at_run_time()
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport());
        var subscription = await node.Bus.SubscribeAsync(new SignalPattern<string>("a.*"), (_, _) => Task.CompletedTask).Soon();
        Assert.That(node.Bus.DescribeNode().Subscriptions.Select(s => s.Pattern), Does.Contain("a.*"));
        await subscription.DisposeAsync().Soon();
        Assert.That(node.Bus.DescribeNode().Subscriptions.Select(s => s.Pattern), Does.Not.Contain("a.*"));
    }

    [TestCase("weather")]
    [TestCase("my service/with:odd*characters.and dots")]
    [TestCase("ünïcode 世界")]
    public void Every_node_id_is_one_valid_topic_segment(string name)
    {
        var id = new NodeIdentity(name).Id;
        Assert.That(Topic.IsSegment(id), Is.True, id);
        Assert.That(new NodeIdentity(name).Id, Is.Not.EqualTo(id));
        Assert.That(MeshTopics.Node(id).Topic.ToString(), Is.EqualTo($"mesh.node.{id}"));
    }

    [Test]
    public void A_node_with_a_very_long_name_still_has_a_valid_topic() =>
        Assert.That(
            MeshTopics.Node(new NodeIdentity(new string('n', 1000)).Id).Topic.ToString(), Has.Length.LessThanOrEqualTo(Topic.MaxLength));
}
