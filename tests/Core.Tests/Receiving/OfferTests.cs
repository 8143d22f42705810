using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class OfferTests
{
    [Test]
    public async Task A_body_of_exactly_the_limit_is_accepted_and_one_byte_more_is_413()
    {
        await using var node = new BareNode(o => o.Request.MaxBodyBytes = 10);
        var subscription = node.OnSignal("a");
        Assert.That(subscription.Offer(node.Signal("a") with { Body = new byte[10] }).IsAccepted, Is.True);
        var refusal = subscription.Offer(node.Signal("a") with { Body = new byte[11] }).Refusal!;
        Assert.That(refusal.Status, Is.EqualTo(StatusCode.BodyTooLarge));
        Assert.That(refusal.NotProcessed, Is.True);
        Assert.That(refusal.Error, Does.Contain("11 bytes").And.Contains("accepts 10").And.Contains("ServiceMesh:Request:MaxBodyBytes"));
    }

    [Test]
    public async Task A_request_whose_deadline_has_passed_is_not_processed()
    {
        await using var node = new BareNode();
        var request = node.Request("a", deadline: TimeSpan.FromSeconds(1));
        node.Clock.Advance(TimeSpan.FromSeconds(1));
        var refusal = node.OnRequest<string, string>("a", (_, _) => Task.FromResult("")).Offer(request).Refusal!;
        Assert.That((refusal.Status, refusal.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, true)));
    }

    [Test]
    public async Task A_draining_node_refuses_with_503_not_processed()
    {
        await using var node = new BareNode();
        var subscription = node.OnSignal("a");
        node.State.BeginDrain();
        var refusal = subscription.Offer(node.Signal("a")).Refusal!;
        Assert.That((refusal.Status, refusal.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(refusal.Error, Does.Contain(node.Id).And.Contains("shutting down"));
    }

    [Test]
    public async Task A_handler_that_is_being_removed_refuses_with_503_not_processed()
    {
        await using var node = new BareNode();
        var subscription = node.OnSignal("a.*");
        await subscription.Gate.CloseAsync().Soon();
        var refusal = subscription.Offer(node.Signal("a.b")).Refusal!;
        Assert.That((refusal.Status, refusal.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(refusal.Error, Does.Contain("'a.*'").And.Contains("being removed"));
    }

    [Test]
    public async Task A_full_handler_refuses_with_429_and_names_the_limits()
    {
        await using var node = new BareNode(o => (o.Handler.MaxConcurrency, o.Handler.MaxQueued) = (1, 0));
        var subscription = node.OnSignal("a.*");
        subscription.Offer(node.Signal("a.b"));
        var refusal = subscription.Offer(node.Signal("a.b")).Refusal!;
        Assert.That((refusal.Status, refusal.NotProcessed), Is.EqualTo((StatusCode.Overloaded, true)));
        Assert.That(refusal.Error, Does.Contain("'a.*'").And.Contains("MaxConcurrency, MaxQueued"));
    }

    [Test]
    public async Task An_ordered_handler_runs_one_message_at_a_time_whatever_the_default()
    {
        await using var node = new BareNode(o => o.Handler.MaxConcurrency = 100);
        var subscription = node.OnSignalWith("a", new() { Ordered = true });
        var first = subscription.Offer(node.Signal("a"));
        subscription.Offer(node.Signal("a"));
        Assert.That((first.IsAccepted, subscription.Gate.Running, subscription.Gate.Waiting), Is.EqualTo((true, 1, 1)));
    }

    [Test]
    public async Task Options_of_a_handler_replace_the_configured_limits()
    {
        await using var node = new BareNode(o =>
        {
            (o.Handler.MaxConcurrency, o.Handler.MaxQueued, o.Handler.Timeout) = (1, 0, TimeSpan.FromSeconds(1));
        });
        var subscription = node.OnSignalWith("a", new() { MaxConcurrency = 2, MaxQueued = 1, Timeout = TimeSpan.FromSeconds(9) });
        Assert.That(subscription.Timeout, Is.EqualTo(TimeSpan.FromSeconds(9)));
        Assert.That(
            Enumerable.Range(0, 4).Select(_ => subscription.Offer(node.Signal("a")).IsAccepted),
            Is.EqualTo(new[] { true, true, true, false }));
    }

    [Test]
    public async Task A_signal_that_every_member_refuses_is_counted_logged_and_reported()
    {
        await using var node = new BareNode();
        var subscription = node.OnSignal("a.*", "g");
        node.State.BeginDrain();
        subscription.Offer(node.Signal("a.b", "x")).ReportLoss();
        Assert.That(node.Log.Has(Microsoft.Extensions.Logging.LogLevel.Warning, "Lost a message on a.b (refused)"), Is.True);
        var report = (await node.ReportsAsync()).Single();
        Assert.That((report.Status, report.Group, report.Data), Is.EqualTo((503, "g", "\"x\"")));
    }
}
