using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>Whether a node receives its own beats, and how deadlines travel between the clocks of two nodes.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LivenessTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _clock = new();

    private BeatMonitor Hearing()
    {
        var monitor = new BeatMonitor(4 * s_second, s_second, _clock);
        monitor.Replaced();
        Assert.That(monitor.Hear(monitor.NextBeat()), Is.True);
        return monitor;
    }

    private bool CheckAfter(BeatMonitor monitor, int seconds)
    {
        var isDeaf = false;
        for (var i = 0; i < seconds; i++)
        {
            _clock.Advance(s_second);
            isDeaf |= monitor.Check();
        }

        return isDeaf;
    }

    [Test]
    public void A_connection_that_receives_its_beats_stays()
    {
        var monitor = Hearing();
        for (var i = 0; i < 20; i++)
        {
            Assert.That(CheckAfter(monitor, 1), Is.False);
            monitor.Hear(monitor.NextBeat());
        }

        Assert.That(monitor.State, Is.EqualTo(BeatState.Hearing));
    }

    [Test]
    public void A_connection_without_beats_is_reported_deaf_once_after_the_limit()
    {
        var monitor = Hearing();

        Assert.That(CheckAfter(monitor, 3), Is.False);
        Assert.That(CheckAfter(monitor, 1), Is.True);
        Assert.That(CheckAfter(monitor, 5), Is.False, "it was reported before");
        Assert.That(monitor.State, Is.EqualTo(BeatState.Deaf));
    }

    [Test]
    public void A_gap_ends_with_a_beat_sent_after_the_replacement()
    {
        var monitor = Hearing();
        var old = monitor.NextBeat();
        Assert.That(monitor.Break(), Is.True);

        Assert.That(monitor.Hear(old), Is.False, "an old beat proves nothing while the connection is deaf");
        monitor.Replaced();
        Assert.That(monitor.Hear(old), Is.False, "the beat was sent before the replacement");
        Assert.That(monitor.State, Is.EqualTo(BeatState.Verifying));
        Assert.That(monitor.Hear(monitor.NextBeat()), Is.True);
        Assert.That(monitor.State, Is.EqualTo(BeatState.Hearing));
    }

    [Test]
    public void A_replacement_without_beats_is_deaf_too()
    {
        var monitor = Hearing();
        monitor.Break();
        monitor.Replaced();

        Assert.That(CheckAfter(monitor, 4), Is.True);
        Assert.That(monitor.State, Is.EqualTo(BeatState.Deaf));
    }

    [Test]
    public void A_process_that_was_suspended_gets_time_to_read_what_has_arrived()
    {
        var monitor = Hearing();
        _clock.Advance(TimeSpan.FromSeconds(60));

        Assert.That(monitor.Check(), Is.False);
        Assert.That(CheckAfter(monitor, 4), Is.True, "if no beat has arrived, it is deaf");
    }

    [Test]
    public void A_deadline_on_the_shared_clock_does_not_restart_on_arrival()
    {
        var (caller, receiver) = (new SharedClock(_clock), new SharedClock(_clock));
        caller.Set(7, 1_000_000, _clock.GetTimestamp());
        receiver.Set(7, 1_000_000, _clock.GetTimestamp());
        var sent = caller.Stamp(Deadline.After(TimeSpan.FromSeconds(10), _clock));

        _clock.Advance(TimeSpan.FromSeconds(4));

        Assert.That(receiver.Judge(sent).Remaining, Is.EqualTo(TimeSpan.FromSeconds(6)));
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.That(receiver.Judge(sent).HasPassed, Is.True);
    }

    [Test]
    public void Node_clocks_that_differ_by_an_hour_do_not_change_a_deadline()
    {
        var other = new FakeTimeProvider();
        other.Advance(TimeSpan.FromHours(1));
        var (caller, receiver) = (new SharedClock(_clock), new SharedClock(other));
        caller.Set(7, 500_000, _clock.GetTimestamp());
        receiver.Set(7, 500_000, other.GetTimestamp());

        var arrived = receiver.Judge(caller.Stamp(Deadline.After(TimeSpan.FromSeconds(10), _clock)));

        Assert.That(arrived.Remaining, Is.EqualTo(TimeSpan.FromSeconds(10)));
    }

    [TestCase(0u, 7u)]
    [TestCase(7u, 0u)]
    [TestCase(7u, 8u)]
    public void Without_a_common_clock_the_remaining_time_counts_from_the_arrival(uint callers, uint receivers)
    {
        var (caller, receiver) = (new SharedClock(_clock), new SharedClock(_clock));
        Set(caller, callers);
        Set(receiver, receivers);
        var sent = caller.Stamp(Deadline.After(TimeSpan.FromSeconds(10), _clock));

        _clock.Advance(TimeSpan.FromSeconds(4));

        Assert.That(receiver.Judge(sent).Remaining, Is.EqualTo(TimeSpan.FromSeconds(10)));

        void Set(SharedClock clock, uint id)
        {
            if (id != 0)
            {
                clock.Set(id, 1_000_000, _clock.GetTimestamp());
            }
        }
    }

    [Test]
    public void A_shared_clock_that_jumps_is_not_used_for_a_while()
    {
        var clock = new SharedClock(_clock);
        clock.Set(7, 1_000_000, _clock.GetTimestamp());
        Assert.That(clock.Id, Is.EqualTo(7));

        clock.Set(7, 9_000_000, _clock.GetTimestamp());
        Assert.That(clock.Id, Is.Zero);
        _clock.Advance(TimeSpan.FromSeconds(16));
        Assert.That(clock.Id, Is.EqualTo(7));
    }

    [Test]
    public void A_signal_has_no_deadline_at_either_end()
    {
        var clock = new SharedClock(_clock);

        Assert.That(clock.Judge(clock.Stamp(Deadline.None)).Exists, Is.False);
    }

    [Test]
    public void An_id_that_does_not_increase_is_a_duplicate()
    {
        var filter = new DuplicateFilter();

        Assert.That(
            new[] { ("a", 1L), ("a", 2L), ("a", 2L), ("b", 1L), ("a", 1L), ("a", 5L) }.Select(f => filter.IsNew(f.Item1, f.Item2)),
            Is.EqualTo([true, true, false, true, false, true]));
    }
}
