using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A reused scope must behave like a new one for its next call, and must not be reachable from the call before.</summary>
public sealed class CallScopeTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromHours(1);

    [Test]
    public void A_scope_is_reused_by_the_next_call_on_its_thread()
    {
        var first = Begin(s_long);
        first.Dispose();
        using var second = CallScope.Begin(
            TimeSpan.FromMinutes(7), new() { Headers = Headers.Of(("tenant", "t")) }, TimeProvider.System, servesAgain: true, default);
        Assert.That(second, Is.SameAs(first));
        Assert.That(second.Token.IsCancellationRequested, Is.False);
        Assert.That(second.Timeout, Is.EqualTo(TimeSpan.FromMinutes(7)));
        Assert.That(second.Headers["tenant"], Is.EqualTo("t"));
        Assert.That(second.Deadline.Remaining, Is.GreaterThan(TimeSpan.FromMinutes(6)).And.LessThanOrEqualTo(TimeSpan.FromMinutes(7)));
    }

    [Test]
    public void Two_calls_at_once_have_two_scopes()
    {
        Begin(s_long).Dispose();
        using var first = Begin(s_long);
        using var second = Begin(s_long);
        Assert.That(second, Is.Not.SameAs(first));
    }

    [Test]
    public void A_registration_that_a_call_left_behind_does_not_fire_for_the_next_call()
    {
        using var caller = new CancellationTokenSource();
        var first = Begin(s_long);
        var heard = false;
        using var left = first.Token.Register(() => heard = true);
        first.Dispose();
        using var second = Begin(s_long, caller.Token);
        Assert.That(second, Is.SameAs(first));
        caller.Cancel();
        Assert.That(second.IsCancellationRequested, Is.True);
        Assert.That(heard, Is.False);
    }

    [Test]
    public void The_caller_of_a_call_that_has_ended_cannot_cancel_the_next_one()
    {
        using var caller = new CancellationTokenSource();
        var first = Begin(s_long, caller.Token);
        first.Dispose();
        using var second = Begin(s_long);
        Assert.That(second, Is.SameAs(first));
        caller.Cancel();
        Assert.That(second.IsCancellationRequested, Is.False);
        Assert.That(() => second.GaveUp("step"), Throws.Nothing, "the caller of this call has not cancelled");
    }

    [Test]
    public void The_next_call_of_a_scope_has_its_own_timeout()
    {
        Begin(s_long).Dispose();
        using var second = Begin(TimeSpan.FromMilliseconds(1));
        Assert.That(second.Token.WaitHandle.WaitOne(TimeSpan.FromMinutes(1)), Is.True);
    }

    [Test]
    public void A_scope_whose_caller_cancelled_is_not_reused()
    {
        using var caller = new CancellationTokenSource();
        var first = Begin(s_long, caller.Token);
        caller.Cancel();
        first.Dispose();
        using var second = Begin(s_long);
        Assert.That(second, Is.Not.SameAs(first));
        Assert.That(second.IsCancellationRequested, Is.False);
    }

    [Test]
    public void A_scope_whose_time_was_up_is_not_reused()
    {
        var first = Begin(TimeSpan.FromMilliseconds(1));
        first.Token.WaitHandle.WaitOne();
        first.Dispose();
        using var second = Begin(s_long);
        Assert.That(second, Is.Not.SameAs(first));
        Assert.That(second.IsCancellationRequested, Is.False);
    }

    [Test]
    public void A_scope_whose_token_may_have_been_kept_is_not_reused()
    {
        var first = CallScope.Begin(s_long, null, TimeProvider.System, servesAgain: false, default);
        first.Dispose();
        using var second = Begin(s_long);
        Assert.That(second, Is.Not.SameAs(first));
    }

    [Test]
    public void A_scope_with_a_timer_of_another_clock_is_not_reused()
    {
        var clock = new FakeTimeProvider();
        var first = CallScope.Begin(s_long, null, clock, servesAgain: true, default);
        first.Dispose();
        using var second = CallScope.Begin(s_long, null, clock, servesAgain: true, default);
        Assert.That(second, Is.Not.SameAs(first));
        clock.Advance(s_long);
        Assert.That(second.IsCancellationRequested, Is.True);
    }

    // On every processor, callers cancel and timers fire just when their call ends.
    [Test]
    public void A_call_is_ended_only_by_its_own_caller_or_its_own_timeout()
    {
        Parallel.For(0, 4, thread =>
        {
            var random = new Random(thread);
            for (var i = 0; i < TestLength.Of(500, 20_000); i++)
            {
                using var caller = new CancellationTokenSource();
                var isShort = random.Next(4) == 0;
                var scope = Begin(isShort ? TimeSpan.FromMilliseconds(1) : s_long, caller.Token);
                var cancelling = random.Next(2) == 0 ? Task.Run(caller.Cancel) : Task.CompletedTask;
                Thread.SpinWait(random.Next(2000));
                var wasEnded = scope.IsCancellationRequested;
                scope.Dispose();
                Assert.That(
                    wasEnded && !isShort && cancelling == Task.CompletedTask, Is.False, "neither its caller nor its timeout had ended it");
                using (var next = Begin(s_long))
                {
                    cancelling.Wait();
                    Assert.That(next.IsCancellationRequested, Is.False, "the cancellation belongs to the call before");
                }
            }
        });
    }

    private static CallScope Begin(TimeSpan timeout, CancellationToken caller = default) =>
        CallScope.Begin(timeout, null, TimeProvider.System, servesAgain: true, caller);
}
