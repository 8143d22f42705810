using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Handlers that ignore their token.</summary>
public sealed class OverrunTests
{
    [Test]
    public async Task A_handler_beyond_its_timeout_keeps_its_place_until_it_has_ended()
    {
        await using var node = new BareNode();
        var release = Failsafe.Signal();
        var subscription = node.OnRequest<string, string>("a.b", async (_, _) =>
        {
            await release.Task;
            return "late";
        }, new() { Timeout = TimeSpan.FromSeconds(1), MaxConcurrency = 1, MaxQueued = 0 });
        var running = subscription.Offer(node.Request("a.b")).RunAsync();
        node.Clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That((await running.Soon()).Status, Is.EqualTo(StatusCode.HandlerTimeout));

        Assert.That(subscription.Gate.Running, Is.EqualTo(1));
        Assert.That(subscription.Offer(node.Request("a.b")).Refusal!.Status, Is.EqualTo(StatusCode.Overloaded));
        var empty = subscription.Gate.CloseAsync();
        Assert.That(empty.IsCompleted, Is.False);

        node.Clock.Advance(TimeSpan.FromSeconds(2));
        release.SetResult();
        await empty.Soon();
        await Failsafe.Until(
            () => node.Log.Has(LogLevel.Warning, "The handler of a.b for caller ended 00:00:02 after it had been given up"));
    }

    [Test]
    public async Task The_scope_of_an_abandoned_handler_lives_until_the_handler_has_ended()
    {
        var disposed = Failsafe.Signal();
        await using var node = new BareNode(services: services => ScopedProbe.AddTo(services, disposed));
        var release = Failsafe.Signal();
        var subscription = node.OnRequest<string, string>("a.b", async (_, context) =>
        {
            ScopedProbe.From(context);
            await release.Task;
            return "";
        }, new() { Timeout = TimeSpan.FromSeconds(1) });
        var running = subscription.Offer(node.Request("a.b")).RunAsync();
        node.Clock.Advance(TimeSpan.FromSeconds(1));
        await running.Soon();
        Assert.That(disposed.Task.IsCompleted, Is.False);
        release.SetResult();
        await disposed.Task.Soon();
    }

    [Test]
    public async Task An_abandoned_handler_that_throws_is_answered_and_reported_once()
    {
        await using var node = new BareNode();
        var release = Failsafe.Signal();
        var subscription = node.OnRequest<string, string>("a.b", async (_, _) =>
        {
            await release.Task;
            throw new InvalidOperationException("too late");
        }, new() { Timeout = TimeSpan.FromSeconds(1) });
        var running = subscription.Offer(node.Request("a.b")).RunAsync();
        node.Clock.Advance(TimeSpan.FromSeconds(1));
        await running.Soon();
        release.SetResult();
        await subscription.Gate.CloseAsync().Soon();
        Assert.That((await node.ReportsAsync()).Select(r => r.Status), Is.EqualTo(new[] { 499 }));
    }
}
