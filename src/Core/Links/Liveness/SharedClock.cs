namespace ServiceMesh.Links;

/// <summary>
/// A clock on which both ends of a link agree. Each node measures how far its own monotonic clock is from the shared one, so
/// the clock of the machine has no part in it. Deadlines travel as an instant on the shared clock together with what was left
/// when they were sent; when the two ends do not share a clock at the moment, what was left counts from the arrival.
/// Thread-safe.
/// </summary>
internal sealed class SharedClock(TimeProvider clock)
{
    // Two measurements of one clock that differ by more than this mean that it was set.
    private static readonly TimeSpan s_jump = TimeSpan.FromSeconds(1);

    // After a jump the nodes notice it one after the other; until then instants are not compared.
    private static readonly TimeSpan s_distrust = TimeSpan.FromSeconds(15);

    // A measurement is off by at most half of its round trip. One that took longer than this says nothing, and after the other time a
    // worse one than before is taken, since clocks drift.
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_goodFor = TimeSpan.FromSeconds(30);

    private readonly Lock _measuring = new();
    private long _measuredAt;
    private TimeSpan _measuredWithin = TimeSpan.MaxValue;
    private volatile Reading? _reading;
    private long _distrustedAt;
    private uint _ownId;

    /// <summary>The clock of this node itself, by which the other end of each of its links measures the offset.</summary>
    /// <param name="clock">This node's clock.</param>
    /// <param name="id">Names it; not 0.</param>
    public static SharedClock OfThisNode(TimeProvider clock, uint id)
    {
        var own = new SharedClock(clock) { _ownId = id };
        var now = clock.GetTimestamp();
        own.Set(id, own.ToMilliseconds(now), now);
        return own;
    }

    /// <summary>The name and the time of this node's own clock; null when the clock is another one.</summary>
    public (uint Id, long Milliseconds)? Own => _ownId == 0 ? null : (_ownId, ToMilliseconds(clock.GetTimestamp()));

    /// <summary>The name of the clock that instants are on; 0 for none.</summary>
    public uint Id => IsDistrusted ? 0 : _reading?.Id ?? 0;

    private bool IsDistrusted =>
        Volatile.Read(ref _distrustedAt) is var since and not 0 && clock.GetElapsedTime(since) < s_distrust;

    /// <summary>Stores a measurement.</summary>
    /// <param name="id">Names the clock; not 0. Another name than before is another clock.</param>
    /// <param name="milliseconds">The time of the clock in milliseconds.</param>
    /// <param name="at">This node's timestamp at that moment: the middle between question and answer.</param>
    public void Set(uint id, long milliseconds, long at)
    {
        var offset = milliseconds - ToMilliseconds(at);
        if (_reading is { } before && before.Id == id && Math.Abs(offset - before.Offset) > s_jump.TotalMilliseconds)
        {
            Volatile.Write(ref _distrustedAt, Math.Max(1, clock.GetTimestamp()));
        }

        _reading = new(id, offset);
    }

    /// <summary>The clock of another node, which that node read between two moments here.</summary>
    /// <param name="id">Names the clock; not 0.</param>
    /// <param name="milliseconds">What it showed.</param>
    /// <param name="asked">This node's timestamp before; it may come from outside, and is checked.</param>
    /// <param name="answered">This node's timestamp after.</param>
    public void Measure(uint id, long milliseconds, long asked, long answered)
    {
        var within = clock.GetElapsedTime(asked, answered);
        if (asked <= 0 || within < TimeSpan.Zero || within > s_longest)
        {
            return;
        }

        lock (_measuring)
        {
            if (_reading?.Id == id && within > _measuredWithin && clock.GetElapsedTime(_measuredAt, answered) < s_goodFor)
            {
                return;
            }

            (_measuredAt, _measuredWithin) = (answered, within);
            Set(id, milliseconds, asked + ((answered - asked) / 2));
        }
    }

    /// <summary>The shared clock was lost.</summary>
    public void Clear() => _reading = null;

    /// <summary>A deadline as it is sent now.</summary>
    public FrameDeadline Stamp(Deadline deadline)
    {
        if (deadline.RemainingMilliseconds is not { } left)
        {
            return FrameDeadline.None;
        }

        var remaining = (uint)Math.Clamp(left, 1, uint.MaxValue);
        return Current() is { } reading ? new(remaining, reading.Id, NowOn(reading) + remaining) : new(remaining);
    }

    /// <summary>A deadline as it arrives now, on this node's clock. Never later than what was left when it was sent.</summary>
    public Deadline Judge(FrameDeadline deadline)
    {
        if (!deadline.Exists)
        {
            return Deadline.None;
        }

        var left = deadline.ClockId != 0 && Current() is { } reading && reading.Id == deadline.ClockId
            ? Math.Clamp(deadline.Instant - NowOn(reading), 0, deadline.RemainingMilliseconds)
            : deadline.RemainingMilliseconds;
        return Deadline.After(TimeSpan.FromMilliseconds(left), clock);
    }

    /// <summary>Milliseconds on the shared clock; null before the first measurement.</summary>
    public long? Now => _reading is { } reading ? NowOn(reading) : null;

    private Reading? Current() => IsDistrusted ? null : _reading;

    private long NowOn(Reading reading) => ToMilliseconds(clock.GetTimestamp()) + reading.Offset;

    private long ToMilliseconds(long timestamp) => (long)((decimal)timestamp * 1000 / clock.TimestampFrequency);

    private sealed record Reading(uint Id, long Offset);
}
