namespace ServiceMesh.Transports;

/// <summary>
/// When the caller stops caring. Measured on the monotonic clock of one process; between processes it travels as the
/// remaining milliseconds, so that clocks which disagree cannot shorten or stretch it.
/// </summary>
public readonly struct Deadline : IEquatable<Deadline>
{
    private readonly TimeProvider? _clock;
    private readonly long _timestamp;

    private Deadline(TimeProvider clock, long timestamp) => (_clock, _timestamp) = (clock, timestamp);

    /// <summary>No deadline, as signals have it.</summary>
    public static Deadline None => default;

    /// <summary>A deadline that passes after <paramref name="remaining"/> on <paramref name="clock"/>.</summary>
    public static Deadline After(TimeSpan remaining, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        var (now, ticks) = (clock.GetTimestamp(), remaining.TotalSeconds * clock.TimestampFrequency);
        // What a foreign wire says may lie beyond the end of the clock; added up it would lie in the past.
        return new(clock, ticks < long.MaxValue - now ? now + (long)ticks : long.MaxValue);
    }

    /// <summary>False for <see cref="None"/>.</summary>
    public bool Exists => _clock is not null;

    /// <summary>What is left; never negative, and <see cref="TimeSpan.MaxValue"/> for <see cref="None"/>.</summary>
    public TimeSpan Remaining
    {
        get
        {
            if (_clock is null)
            {
                return TimeSpan.MaxValue;
            }

            var left = _clock.GetElapsedTime(_clock.GetTimestamp(), _timestamp);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// What is left in whole milliseconds, for a wire: rounded up, so that a deadline which has not passed is never sent
    /// as 0. Null for <see cref="None"/>.
    /// </summary>
    public long? RemainingMilliseconds => _clock is null ? null : (long)Math.Ceiling(Remaining.TotalMilliseconds);

    /// <summary>True once nothing is left.</summary>
    public bool HasPassed => _clock is not null && _clock.GetTimestamp() >= _timestamp;

    /// <summary>The same for an instant that was read from a clock already, when it is the clock of this deadline.</summary>
    internal bool HasPassedAt(long timestamp, TimeProvider clock) => ReferenceEquals(clock, _clock) ? timestamp >= _timestamp : HasPassed;

    /// <inheritdoc/>
    public bool Equals(Deadline other) => ReferenceEquals(_clock, other._clock) && _timestamp == other._timestamp;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Deadline other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _timestamp.GetHashCode();

    /// <summary>Equality of the same instant on the same clock.</summary>
    public static bool operator ==(Deadline left, Deadline right) => left.Equals(right);

    /// <summary>Inequality.</summary>
    public static bool operator !=(Deadline left, Deadline right) => !left.Equals(right);
}
