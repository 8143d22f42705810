namespace ServiceMesh.Http;

/// <summary>
/// Time in milliseconds, for windows and for values that fade. The system's clock is read by its tick count, which has a resolution of
/// a few milliseconds and costs a third of a timestamp. A timestamp would be half the cost of a pick, or of counting an outcome.
/// </summary>
/// <param name="clock">The clock.</param>
internal sealed class CoarseClock(TimeProvider clock)
{
    private readonly TimeProvider? _other = ReferenceEquals(clock, TimeProvider.System) ? null : clock;

    /// <summary>Milliseconds, wrapping after 49 days: for values that fade within seconds and are packed beside their time.</summary>
    public static uint Read(TimeProvider clock) => ReferenceEquals(clock, TimeProvider.System)
        ? unchecked((uint)Environment.TickCount64)
        : unchecked((uint)(long)(clock.GetTimestamp() * (1000.0 / clock.TimestampFrequency)));

    /// <summary>A timestamp, comparable with other timestamps of this clock.</summary>
    public long Now => _other is null ? Environment.TickCount64 : _other.GetTimestamp();

    /// <summary>The wall clock, for messages.</summary>
    public DateTimeOffset UtcNow => clock.GetUtcNow();

    private long Frequency => _other?.TimestampFrequency ?? 1000;

    /// <summary>A time as a number of timestamps, at least one.</summary>
    public long Stamps(TimeSpan time) => Math.Max(1, (long)(time.TotalSeconds * Frequency));

    public TimeSpan Between(long from, long to) => TimeSpan.FromSeconds((double)(to - from) / Frequency);
}
