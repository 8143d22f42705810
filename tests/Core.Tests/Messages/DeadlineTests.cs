using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class DeadlineTests
{
    private readonly FakeTimeProvider _clock = new();

    [Test]
    public void The_None_deadline_never_passes_and_is_not_sent()
    {
        Assert.That(Deadline.None.Exists, Is.False);
        Assert.That(Deadline.None.HasPassed, Is.False);
        Assert.That(Deadline.None.Remaining, Is.EqualTo(TimeSpan.MaxValue));
        Assert.That(Deadline.None.RemainingMilliseconds, Is.Null);
        Assert.That(default(Deadline), Is.EqualTo(Deadline.None));
    }

    [Test]
    public void A_deadline_passes_at_its_time_and_not_a_tick_earlier()
    {
        var deadline = Deadline.After(TimeSpan.FromSeconds(1), _clock);
        _clock.Advance(TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1));
        Assert.That(deadline.HasPassed, Is.False);
        Assert.That(deadline.Remaining, Is.EqualTo(TimeSpan.FromTicks(1)));
        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.That(deadline.HasPassed, Is.True);
        Assert.That(deadline.Remaining, Is.EqualTo(TimeSpan.Zero));
        _clock.Advance(TimeSpan.FromDays(1));
        Assert.That(deadline.Remaining, Is.EqualTo(TimeSpan.Zero), "never negative");
        Assert.That(deadline.RemainingMilliseconds, Is.Zero);
    }

    [Test]
    public void The_remaining_time_is_sent_in_milliseconds_rounded_up()
    {
        var deadline = Deadline.After(TimeSpan.FromMilliseconds(10), _clock);
        Assert.That(deadline.RemainingMilliseconds, Is.EqualTo(10));
        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.That(deadline.RemainingMilliseconds, Is.EqualTo(10));
        _clock.Advance(TimeSpan.FromMilliseconds(9));
        Assert.That(deadline.RemainingMilliseconds, Is.EqualTo(1), "a deadline that has not passed is never sent as 0");
    }

    [Test]
    public void A_whole_number_of_milliseconds_up_to_a_day_arrives_unchanged() =>
        Check.One(TopicGenerators.Seeded.WithMaxTest(2000), Prop.ForAll(
            Gen.Choose(1, 86_400_000).ToArbitrary(),
            Gen.Choose(0, 10_000_000).ToArbitrary(),
            (milliseconds, now) =>
            {
                var clock = new FakeTimeProvider();
                clock.Advance(TimeSpan.FromTicks(now));
                return Deadline.After(TimeSpan.FromMilliseconds(milliseconds), clock).RemainingMilliseconds == milliseconds;
            }));

    [Test]
    public void A_negative_remaining_time_from_a_wire_has_passed() =>
        Assert.That(Deadline.After(TimeSpan.FromMilliseconds(-1), _clock).HasPassed, Is.True);

    [TestCaseSource(nameof(LongTimes))]
    public void A_very_long_remaining_time_from_a_wire_has_not_passed(TimeSpan rest)
    {
        _clock.Advance(TimeSpan.FromDays(100));
        foreach (var clock in new[] { _clock, TimeProvider.System })
        {
            var deadline = Deadline.After(rest, clock);
            Assert.That(deadline.HasPassed, Is.False);
            Assert.That(deadline.Remaining, Is.GreaterThan(TimeSpan.FromDays(49)));
        }
    }

    [Test]
    public void Deadlines_are_equal_at_the_same_instant_of_the_same_clock()
    {
        var one = Deadline.After(TimeSpan.FromSeconds(1), _clock);
        Assert.That(one == Deadline.After(TimeSpan.FromSeconds(1), _clock), Is.True);
        Assert.That(one != Deadline.After(TimeSpan.FromSeconds(1), new FakeTimeProvider()), Is.True);
        Assert.That(one.GetHashCode(), Is.EqualTo(Deadline.After(TimeSpan.FromSeconds(1), _clock).GetHashCode()));
    }

    private static IEnumerable<TimeSpan> LongTimes => [TimeSpan.FromDays(50), TimeSpan.FromDays(100_000), TimeSpan.MaxValue];
}
