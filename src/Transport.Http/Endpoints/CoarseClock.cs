namespace ServiceMesh.Http;

/// <summary>
/// Time for what is counted in milliseconds and more: windows, and what fades. The system's clock is read by its ticks, which are
/// some milliseconds coarse and cost a third of its timestamps: those would be half of what a pick costs, or counting an outcome.
/// </summary>
/// <param name="clock">The clock.</param>
internal sealed class CoarseClock(TimeProvider clock)
{
    private readonly TimeProvider? _other = ReferenceEquals(clock, TimeProvider.System) ? null : clock;

    /// <summary>Milliseconds, wrapping after 49 days, for what fades within seconds and is packed beside its value.</summary>
    public static uint Read(TimeProvider clock) => ReferenceEquals(clock, TimeProvider.System)
        ? unchecked((uint)Environment.TickCount64)
        : unchecked((uint)(long)(clock.GetTimestamp() * (1000.0 / clock.TimestampFrequency)));

    /// <summary>A timestamp, to be compared with others of this clock.</summary>
    public long Now => _other is null ? Environment.TickCount64 : _other.GetTimestamp();

    /// <summary>The wall clock, for people.</summary>
    public DateTimeOffset UtcNow => clock.GetUtcNow();

    private long Frequency => _other?.TimestampFrequency ?? 1000;

    /// <summary>A time as a number of timestamps; at least one.</summary>
    public long Stamps(TimeSpan time) => Math.Max(1, (long)(time.TotalSeconds * Frequency));

    public TimeSpan Between(long from, long to) => TimeSpan.FromSeconds((double)(to - from) / Frequency);
}
