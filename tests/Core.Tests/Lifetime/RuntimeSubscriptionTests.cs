using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RuntimeSubscriptionTests
{
    private static readonly RequestTopic<int, int> s_topic = new("run.time");

    private readonly ScriptedTransport _transport = new();

    [Test]
    public async Task Disposing_waits_for_requests_in_flight_and_may_run_concurrently()
    {
        var (entered, release) = (Failsafe.Signal(), Failsafe.Signal());
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport());
        var subscription = await node.Bus.SubscribeAsync(s_topic, async (x, _) =>
        {
            entered.SetResult();
            await release.Task;
            return x;
        }).Soon();
        using var releasing = release.ReleasedAtEnd();
        var running = node.Bus.RequestAsync(s_topic, 7);
        await entered.Task.Soon();
        Task[] disposals = [.. Enumerable.Range(0, 3).Select(_ => subscription.DisposeAsync().AsTask())];
        Assert.That((await node.Bus.TryRequestAsync(s_topic, 8).Soon()).Status, Is.EqualTo(StatusCode.NotFound));
        Assert.That(disposals.Any(d => d.IsCompleted), Is.False);
        release.SetResult();
        Assert.That(await running.Soon(), Is.EqualTo(7));
        await Task.WhenAll(disposals).Soon();
    }

    [Test]
    public async Task A_subscription_that_the_transport_refuses_is_removed_again()
    {
        await using var node = await TestNode.StartAsync(_transport.AddTo);
        _transport.OnSubscribe = () => throw new TransportException("no");
        Assert.That(
            async () => await node.Bus.SubscribeAsync(s_topic, (x, _) => Task.FromResult(x)).Soon(), Throws.TypeOf<TransportException>());
        Assert.That(node.Bus.DescribeNode().Subscriptions, Has.Count.EqualTo(1));
        _transport.OnSubscribe = () => Task.CompletedTask;
        await using var subscription = await node.Bus.SubscribeAsync(s_topic, (x, _) => Task.FromResult(x)).Soon();
        Assert.That((subscription.Pattern, subscription.Group), Is.EqualTo((s_topic.Pattern, "_default")));
    }

    [Test]
    public async Task A_topic_may_be_subscribed_again_after_a_subscription_was_disposed()
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport());
        for (var i = 0; i < 3; i++)
        {
            await using var subscription = await node.Bus.SubscribeAsync(s_topic, (x, _) => Task.FromResult(x + i)).Soon();
            Assert.That(await node.Bus.RequestAsync(s_topic, 1).Soon(), Is.EqualTo(1 + i));
        }
    }

    [Test]
    public async Task Disposing_after_the_bus_has_stopped_does_not_call_the_transport()
    {
        await using var node = await TestNode.StartAsync(_transport.AddTo);
        var subscription = await node.Bus.SubscribeAsync(s_topic, (x, _) => Task.FromResult(x)).Soon();
        await node.StopAsync().Soon();
        await subscription.DisposeAsync().Soon();
        Assert.That(_transport.Calls, Does.Not.Contain("unsubscribe"));
        Assert.That(node.Log.Lines, Has.None.Contains("did not unsubscribe cleanly"));
    }

    [Test]
    public async Task SubscribeAsync_checks_its_options()
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport());
        Assert.That(
            async () =>
                await node.Bus.SubscribeAsync(s_topic, (x, _) => Task.FromResult(x), new HandlerOptions { MaxConcurrency = 0 }).Soon(),
            Throws.ArgumentException.With.Message.Contains("MaxConcurrency is 0"));
        Assert.That(
            async () => await node.Bus.SubscribeAsync(new RequestTopic<int, int>("mesh.x"), (x, _) => Task.FromResult(x)).Soon(),
            Throws.ArgumentException.With.Message.Contains("bus's own"));
    }

    [Test]
    public async Task Subscribing_before_the_host_has_started_is_refused()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh().AddInMemoryTransport();
        await using var provider = services.BuildServiceProvider();
        Assert.That(
            async () => await provider.GetRequiredService<IServiceBus>().SubscribeAsync(s_topic, (x, _) => Task.FromResult(x)).Soon(),
            Throws.InvalidOperationException.With.Message.Contains("not running"));
    }

    [Test]
    public async Task A_handler_that_does_not_end_is_abandoned_after_the_drain_timeout()
    {
        var clock = new FakeTimeProvider();
        var (entered, release) = (Failsafe.Signal(), Failsafe.Signal());
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport(), services: services => services.AddSingleton<TimeProvider>(clock));
        var subscription = await node.Bus.SubscribeAsync(s_topic, async (x, _) =>
        {
            entered.SetResult();
            await release.Task;
            return x;
        }).Soon();
        using var releasing = release.ReleasedAtEnd();
        var running = node.Bus.RequestAsync(s_topic, 7, new RequestOptions { Timeout = TimeSpan.FromHours(1) });
        await entered.Task.Soon();
        var disposing = subscription.DisposeAsync().AsTask();
        Assert.That(disposing.IsCompleted, Is.False);
        clock.Advance(TimeSpan.FromSeconds(20));
        await disposing.Soon();
        Assert.That(node.Log.Has(LogLevel.Warning, "stops with 1 handlers"), Is.True);
        release.SetResult();
        Assert.That(await running.Soon(), Is.EqualTo(7));
    }
}
