using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A transport with few capabilities, and applications that require more.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CapabilityTests
{
    private readonly ScriptedTransport _poor = new() { Capabilities = new() { System = "poor", MaxBodyBytes = 1 << 30 } };

    [Test]
    public async Task A_node_that_needs_no_features_starts_on_every_transport()
    {
        await using var node = await StartAsync(bus => bus
            .AddHandler(new RequestTopic<int, int>("a"), (x, _) => x, o => o.Group = "g")
            .AddHandler(new SignalPattern<int>("a.b"), (_, _) => { }));
        Assert.That(_poor.Subscriptions, Has.Count.EqualTo(3));
    }

    [TestCaseSource(nameof(Needs))]
    public async Task A_feature_that_the_transport_lacks_fails_at_start_with_handler_and_feature(
        Action<IServiceMeshBuilder> add, string handler, string feature)
    {
        var failure = (await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(add).Soon()))!;
        Assert.That(
            failure.Message,
            Does.StartWith("The Scripted transport cannot do what is asked of it.").And.Contains(handler).And.Contains(feature));
        Assert.That(_poor.Calls, Is.Empty, "the node fails before it connects");
    }

    [Test]
    public async Task Features_that_the_application_requires_are_checked_together()
    {
        var failure = (await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(
            bus => bus.Require(TransportFeatures.DurableSignals).Require(TransportFeatures.Cancellation)).Soon()))!;
        Assert.That(failure.Message, Does.Contain("The application requires Cancellation, DurableSignals"));

        _poor.Capabilities = _poor.Capabilities with { Features = TransportFeatures.DurableSignals | TransportFeatures.Cancellation };
        await using var node = await StartAsync(bus => bus.Require(TransportFeatures.DurableSignals));
    }

    [Test]
    public async Task A_body_limit_above_that_of_the_transport_fails_at_start()
    {
        _poor.Capabilities = _poor.Capabilities with { MaxBodyBytes = 1000 };
        var failure = (await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(_ => { }).Soon()))!;
        Assert.That(failure.Message, Does.Contain("ServiceMesh:Request:MaxBodyBytes is 4194304; the transport moves at most 1000"));
        await using var node = await StartAsync(bus => bus.Configure(o => o.Request.MaxBodyBytes = 1000));
    }

    [Test]
    public async Task A_subscription_at_run_time_is_checked_like_one_at_start()
    {
        await using var node = await StartAsync(_ => { });
        Assert.That(
            async () => await node.Bus.SubscribeAsync(new SignalPattern<int>("a.*"), (_, _) => Task.CompletedTask).Soon(),
            Throws.InvalidOperationException.With.Message.Contains("Patterns"));
        Assert.That(node.Bus.DescribeNode().Subscriptions, Has.Count.EqualTo(1));
    }

    private Task<TestNode> StartAsync(Action<IServiceMeshBuilder> add) => TestNode.StartAsync(bus =>
    {
        _poor.AddTo(bus);
        add(bus);
    });

    private static IEnumerable<TestCaseData> Needs =>
    [
        Need("pattern", bus => bus.AddHandler(new SignalPattern<int>("a.*"), (_, _) => { }), "'a.*' needs", "Patterns"),
        Need(
            "signal group",
            bus => bus.AddHandler(new SignalPattern<int>("a"), (_, _) => { }, o => o.Group = "g"),
            "'a' in group 'g' needs",
            "SignalGroups"),
        Need(
            "order",
            bus => bus.AddHandler(new RequestTopic<int, int>("a"), (x, _) => x, o => o.Ordered = true),
            "is ordered and needs",
            "OrderedDelivery"),
    ];

    private static TestCaseData Need(string name, Action<IServiceMeshBuilder> add, string handler, string feature) =>
        new TestCaseData(add, handler, feature).SetArgDisplayNames(name);
}
