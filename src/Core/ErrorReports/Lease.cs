namespace ServiceMesh;

/// <summary>That a report is taken. Compared by reference: each taking is another.</summary>
/// <param name="takenAt">When, as a timestamp.</param>
/// <param name="time">For how long.</param>
internal sealed class Lease(long takenAt, TimeSpan time)
{
    private static readonly TimeSpan s_max = TimeSpan.FromDays(1);

    public long TakenAt => takenAt;

    public TimeSpan Time => time;

    /// <exception cref="ArgumentOutOfRangeException">The time is not more than zero, or more than a day.</exception>
    public static void Check(TimeSpan lease)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lease, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lease, s_max);
    }
}
