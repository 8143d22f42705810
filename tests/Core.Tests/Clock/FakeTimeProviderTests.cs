using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>
/// What tests may expect of their clock, and its limits, as docs/decisions/0002-fake-clock.md states them. A limit that
/// disappears in a later version fails here, so that the document can follow.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FakeTimeProviderTests
{
    private readonly FakeTimeProvider _clock = new();

    private TimeSpan Passed => _clock.GetUtcNow() - _clock.Start;

    [Test]
    public void Timers_fire_within_the_advance_in_the_order_in_which_they_are_due()
    {
        var fired = new List<int>();
        using var third = After(3, () => fired.Add(3));
        using var first = After(1, () => fired.Add(1));
        using var second = After(2, () => fired.Add(2));
        Advance(3);
        Assert.That(fired, Is.EqualTo(new[] { 1, 2, 3 }));
    }

    [Test]
    public void A_timer_that_is_armed_again_in_its_callback_fires_again()
    {
        var fired = 0;
        ITimer timer = null!;
        timer = After(1, () =>
        {
            fired++;
            timer.Change(TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        });
        Advance(1);
        Advance(1);
        Assert.That(fired, Is.EqualTo(2));
        timer.Dispose();
    }

    [Test]
    public void A_callback_sees_the_end_of_the_advance_and_not_its_own_time()
    {
        var seen = new List<TimeSpan>();
        using var early = After(1, () => seen.Add(Passed));
        Advance(10);
        using var exact = After(1, () => seen.Add(Passed));
        Advance(1);
        Advance(9);
        Assert.That(
            seen.Select(s => s.TotalSeconds),
            Is.EqualTo(new[] { 10, 11 }),
            "the first fires late, because the advance goes on; the second fires on time");
    }

    [Test]
    public void A_timer_that_a_callback_creates_counts_from_the_end_of_the_advance()
    {
        var (fired, next) = (0, default(ITimer));
        using var timer = After(1, () => next = After(1, () => fired++));
        Advance(10);
        Assert.That(fired, Is.Zero, "due at 11 seconds, not at 2");
        Advance(1);
        Assert.That(fired, Is.EqualTo(1));
        next!.Dispose();
    }

    [Test]
    public void A_timer_without_delay_fires_when_it_is_created()
    {
        var fired = false;
        using var timer = After(0, () => fired = true);
        Assert.That(fired, Is.True);
    }

    [Test]
    public void No_timer_fires_after_a_callback_has_thrown()
    {
        var fired = false;
        using var broken = After(1, () => throw new InvalidTimeZoneException());
        using var other = After(2, () => fired = true);
        Assert.That(() => Advance(2), Throws.TypeOf<InvalidTimeZoneException>());
        Advance(2);
        Assert.That(fired, Is.False);
    }

    [Test]
    public async Task An_advance_during_a_callback_returns_before_its_own_timers_fire()
    {
        using var began = new ManualResetEventSlim();
        using var resume = new ManualResetEventSlim();
        var fired = false;
        using var blocking = After(1, () =>
        {
            began.Set();
            resume.Wait(TimeSpan.FromSeconds(30));
        });
        using var later = After(2, () => fired = true);
        var first = Task.Run(() => Advance(1));
        Assert.That(began.Wait(TimeSpan.FromSeconds(30)), Is.True);
        Advance(1);
        Assert.That(fired, Is.False, "the thread of the first advance fires it");
        resume.Set();
        await first.Soon();
        Assert.That(fired, Is.True);
    }

    private ITimer After(int seconds, Action fire) =>
        _clock.CreateTimer(_ => fire(), null, TimeSpan.FromSeconds(seconds), Timeout.InfiniteTimeSpan);

    private void Advance(int seconds) => _clock.Advance(TimeSpan.FromSeconds(seconds));
}
