using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class CancellationCauseTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Test]
    public async Task A_handler_that_runs_longer_than_its_own_timeout_is_answered_with_499()
    {
        await using var node = new BareNode();
        var (running, entered) = Start(node, new() { Timeout = s_second }, deadline: 5 * s_second);
        await entered.Soon();
        node.Clock.Advance(s_second - TimeSpan.FromTicks(1));
        Assert.That(running.IsCompleted, Is.False);
        node.Clock.Advance(TimeSpan.FromTicks(1));
        var reply = await running.Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerTimeout));
        Assert.That(reply.NotProcessed, Is.False);
        Assert.That(reply.Error, Does.Contain("'a.b'").And.Contains("00:00:01"));
        Assert.That((await node.ReportsAsync()).Select(r => r.Status), Is.EqualTo(new[] { 499 }), "the handler's node reports it");
    }

    [Test]
    public async Task A_callers_deadline_that_passes_first_is_408_and_the_caller_reports_it()
    {
        await using var node = new BareNode();
        var (running, entered) = Start(node, new() { Timeout = 5 * s_second }, deadline: s_second);
        await entered.Soon();
        node.Clock.Advance(s_second);
        var reply = await running.Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
        Assert.That(reply.Error, Does.Contain("deadline passed before 'a.b'"));
        Assert.That(await node.ReportsAsync(), Is.Empty);
    }

    [Test]
    public async Task A_request_whose_caller_has_left_is_408_at_once()
    {
        await using var node = new BareNode();
        using var caller = new CancellationTokenSource();
        var (running, entered) = Start(node, new(), deadline: s_second, caller.Token);
        await entered.Soon();
        await caller.CancelAsync();
        var reply = await running.Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
        Assert.That(reply.Error, Does.Contain("has stopped waiting"));
    }

    [Test]
    public async Task A_handler_that_a_stopping_node_cancels_is_503()
    {
        await using var node = new BareNode();
        var (running, entered) = Start(node, new(), deadline: s_second);
        await entered.Soon();
        await node.State.CancelHandlersAsync();
        var reply = await running.Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(reply.NotProcessed, Is.False);
        Assert.That(reply.Error, Does.Contain("shut down before it had handled 'a.b'"));
    }

    [Test]
    public async Task The_first_of_several_causes_decides()
    {
        await using var node = new BareNode();
        using var caller = new CancellationTokenSource();
        var clock = node.Clock;
        using var cancellation = new HandlerCancellation(
            s_second, HandlerCancellation.Cause.HandlerTimeout, clock, caller.Token, node.State.Stopping);
        clock.Advance(s_second);
        await caller.CancelAsync();
        await node.State.CancelHandlersAsync();
        Assert.That(cancellation.Token.IsCancellationRequested, Is.True);
        Assert.That(cancellation.Reason, Is.EqualTo(HandlerCancellation.Cause.HandlerTimeout));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_request_that_ends_in_the_queue_is_not_processed_and_frees_its_place(bool callerLeaves)
    {
        await using var node = new BareNode();
        var release = Failsafe.Signal();
        var handled = 0;
        var subscription = node.OnRequest<string, string>("a.b", async (_, _) =>
        {
            Interlocked.Increment(ref handled);
            await release.Task;
            return "";
        }, new() { MaxConcurrency = 1, MaxQueued = 1 });
        using var caller = new CancellationTokenSource();
        var first = subscription.Offer(node.Request("a.b")).RunAsync();
        var queued = subscription.Offer(node.Request("a.b", deadline: s_second)).RunAsync(caller.Token).AsTask();
        Assert.That(subscription.Offer(node.Request("a.b")).Refusal!.Status, Is.EqualTo(StatusCode.Overloaded));
        if (callerLeaves)
        {
            await caller.CancelAsync();
        }
        else
        {
            node.Clock.Advance(s_second);
        }

        var reply = await queued.Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
        Assert.That(reply.NotProcessed, Is.True);
        Assert.That(subscription.Gate.Waiting, Is.Zero);
        release.SetResult();
        Assert.That((await first.Soon()).Status, Is.EqualTo(StatusCode.Ok));
        Assert.That(handled, Is.EqualTo(1));
        Assert.That(subscription.Gate.Running, Is.Zero);
    }

    [Test]
    public async Task Time_in_the_queue_does_not_count_against_the_handlers_timeout()
    {
        await using var node = new BareNode();
        var (releases, next) = (new[] { Failsafe.Signal(), Failsafe.Signal() }, -1);
        var entered = new[] { Failsafe.Signal(), Failsafe.Signal() };
        var subscription = node.OnRequest<string, string>("a.b", async (_, context) =>
        {
            var mine = Interlocked.Increment(ref next);
            entered[mine].SetResult();
            await releases[mine].Task;
            return "";
        }, new() { MaxConcurrency = 1, Timeout = s_second });
        var first = subscription.Offer(node.Request("a.b")).RunAsync().AsTask();
        var second = subscription.Offer(node.Request("a.b")).RunAsync().AsTask();
        node.Clock.Advance(s_second / 2);
        releases[0].SetResult();
        Assert.That((await first.Soon()).Status, Is.EqualTo(StatusCode.Ok));
        await entered[1].Task.Soon();
        node.Clock.Advance(s_second * 0.9);
        Assert.That(second.IsCompleted, Is.False);
        node.Clock.Advance(s_second * 0.2);
        Assert.That((await second.Soon()).Status, Is.EqualTo(StatusCode.HandlerTimeout));
        releases[1].SetResult();
    }

    [TestCase(50)]
    [TestCase(100_000)]
    public async Task A_deadline_longer_than_any_timer_neither_throws_nor_fires(int days)
    {
        await using var node = new BareNode();
        var release = Failsafe.Signal();
        var subscription = node.OnRequest<string, string>("a.b", async (_, _) =>
        {
            await release.Task;
            return "";
        }, new() { MaxConcurrency = 1 });
        var deadline = TimeSpan.FromDays(days);
        var running = subscription.Offer(node.Request("a.b", deadline: deadline)).RunAsync();
        var queued = subscription.Offer(node.Request("a.b", deadline: deadline)).RunAsync();
        release.SetResult();
        Assert.That((await running.Soon()).Status, Is.EqualTo(StatusCode.Ok));
        Assert.That((await queued.Soon()).Status, Is.EqualTo(StatusCode.Ok));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_delivery_that_outlives_its_node_still_ends_with_a_reply(bool looksAtItsToken)
    {
        var node = new BareNode();
        var release = Failsafe.Signal();
        var subscription = node.OnRequest<string, string>("a.b", async (_, context) =>
        {
            await release.Task.WaitAsync(looksAtItsToken ? context.CancellationToken : CancellationToken.None);
            return "";
        });
        var delivery = subscription.Offer(node.Request("a.b"));
        await node.DisposeAsync();
        var running = delivery.RunAsync();
        release.SetResult();
        Assert.That((await running.Soon()).Status, Is.EqualTo(StatusCode.Ok));
    }

    private static (Task<ReplyMessage> Running, Task Entered) Start(
        BareNode node, HandlerOptions options, TimeSpan deadline, CancellationToken callerGone = default)
    {
        var entered = Failsafe.Signal();
        var subscription = node.OnRequest<string, string>("a.b", async (_, context) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
            return "";
        }, options);
        return (subscription.Offer(node.Request("a.b", deadline: deadline)).RunAsync(callerGone).AsTask(), entered.Task);
    }
}
