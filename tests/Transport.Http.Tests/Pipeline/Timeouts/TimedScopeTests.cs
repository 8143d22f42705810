using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The tokens of requests and attempts: one timer serves all that have the same limit.</summary>
public class TimedScopeTests
{
    private CountingClock _clock = null!;

    [SetUp]
    public void SetClock() => _clock = new();

    [Test]
    public void A_scope_times_out_exactly_at_its_limit()
    {
        var scope = Scopes().Begin(Seconds(10), CancellationToken.None);
        _clock.Advance(Seconds(10) - TimeSpan.FromTicks(1));
        Assert.That(scope.Token.IsCancellationRequested, Is.False);
        _clock.Advance(TimeSpan.FromTicks(1));
        _clock.Advance(TimeSpan.FromMilliseconds(1)); // a timer has whole milliseconds
        Assert.That((scope.Token.IsCancellationRequested, scope.HasTimedOut), Is.EqualTo((true, true)));
    }

    [Test]
    public void Scopes_with_the_same_limit_share_one_timer_and_end_in_order()
    {
        var scopes = Scopes();
        List<TimedScope> begun = [];
        for (var i = 0; i < 100; i++)
        {
            begun.Add(scopes.Begin(Seconds(10), CancellationToken.None));
            _clock.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.That(_clock.Timers, Is.EqualTo(1));
        _clock.Advance(Seconds(9)); // the first began 10 s ago, the last 9.01 s ago
        Assert.That(begun.Select(s => s.HasTimedOut), Is.EqualTo(begun.Select((_, i) => i == 0)));
        _clock.Advance(TimeSpan.FromMilliseconds(500));
        Assert.That(begun.Count(s => s.HasTimedOut), Is.EqualTo(51));
        _clock.Advance(TimeSpan.FromMilliseconds(500));
        Assert.That(begun, Has.All.Property(nameof(TimedScope.HasTimedOut)).True);
    }

    [Test]
    public void A_scope_that_ended_does_not_time_out_the_scope_that_uses_it_again()
    {
        var scopes = Scopes();
        scopes.Begin(Seconds(10), CancellationToken.None).End(isReleased: true);
        _clock.Advance(Seconds(9));
        var next = scopes.Begin(Seconds(10), CancellationToken.None);
        _clock.Advance(Seconds(9));
        Assert.That(next.Token.IsCancellationRequested, Is.False);
        _clock.Advance(Seconds(1));
        Assert.That(next.HasTimedOut, Is.True);
    }

    [Test]
    public void The_callers_token_ends_a_scope_and_does_not_reach_the_one_after_it()
    {
        var scopes = Scopes();
        using var caller = new CancellationTokenSource();
        var ended = scopes.Begin(Seconds(10), caller.Token);
        ended.End(isReleased: true);
        var scope = scopes.Begin(Seconds(10), CancellationToken.None);
        caller.Cancel();
        Assert.That(scope.Token.IsCancellationRequested, Is.False);

        var linked = scopes.Begin(Seconds(10), caller.Token);
        Assert.That((linked.Token.IsCancellationRequested, linked.HasTimedOut), Is.EqualTo((true, false)));
    }

    [Test]
    public void A_scope_whose_token_may_still_be_used_does_not_serve_again()
    {
        var scopes = Scopes();
        var first = scopes.Begin(Seconds(10), CancellationToken.None);
        first.End(isReleased: false);
        Assert.That(scopes.Begin(Seconds(10), CancellationToken.None), Is.Not.SameAs(first));
    }

    [Test]
    public void The_end_of_the_client_ends_all_scopes_and_those_that_begin_later()
    {
        using var stopping = new CancellationTokenSource();
        var scopes = new TimedScopes(_clock, stopping.Token);
        TimedScope[] before = [scopes.Begin(Timeout.InfiniteTimeSpan, default), scopes.Begin(Seconds(10), default)];
        stopping.Cancel();
        TimedScope[] after =
        [
            scopes.Begin(Timeout.InfiniteTimeSpan, default), scopes.Begin(Seconds(10), default), scopes.Begin(Seconds(11), default),
        ];
        Assert.That(before.Concat(after).Select(s => (s.IsCancellationRequested, s.HasTimedOut)), Has.All.EqualTo((true, false)));
    }

    [Test]
    public void A_limit_of_each_request_own_times_out_too_and_lanes_stay_few()
    {
        var scopes = Scopes();
        TimedScope[] begun = [.. Enumerable.Range(1, 100).Select(i => scopes.Begin(Seconds(i), CancellationToken.None))];
        _clock.Advance(Seconds(50));
        Assert.That(begun.Select(s => s.HasTimedOut), Is.EqualTo(begun.Select((_, i) => i < 50)));
        foreach (var scope in begun)
        {
            scope.End(isReleased: true);
        }

        _clock.Advance(Seconds(50));
        Assert.That(begun.Skip(50), Has.All.Property(nameof(TimedScope.HasTimedOut)).False);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task Scopes_on_many_threads_end_once_and_only_by_their_own_cause(CancellationToken cancellationToken)
    {
        var scopes = new TimedScopes(TimeProvider.System, CancellationToken.None);
        var wrong = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(
            () =>
            {
                for (var i = 0; i < 20_000; i++)
                {
                    using var caller = new CancellationTokenSource();
                    var scope = scopes.Begin(TimeSpan.FromHours(1), caller.Token);
                    var isCancelled = i % 7 == worker;
                    if (isCancelled)
                    {
                        caller.Cancel();
                    }

                    wrong += scope.IsCancellationRequested == isCancelled && !scope.HasTimedOut ? 0 : 1;
                    scope.End(isReleased: true);
                }
            },
            cancellationToken)));
        Assert.That(wrong, Is.Zero);
    }

    private TimedScopes Scopes() => new(_clock, CancellationToken.None);

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private sealed class CountingClock : FakeTimeProvider
    {
        public int Timers { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Timers++;
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
