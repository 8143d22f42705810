using System.Diagnostics;

namespace ServiceMesh.Support;

/// <summary>
/// The delay that a loaded machine adds to every measured time. Only this class widens upper bounds of times. A pause of two
/// milliseconds repeats beside the tests. The total by which these pauses end too late is about the time that any other code
/// lost that waited for a timer or a thread meanwhile. Thread-safe.
/// </summary>
public static class LostTime
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(2);
    private static long s_lost;
    private static long s_pausedAt = Stopwatch.GetTimestamp();

    static LostTime() => _ = Task.Run(WatchAsync);

    /// <summary>The time lost since the first use. The difference of two values is the time lost between them.</summary>
    public static TimeSpan Total => TimeSpan.FromTicks(Interlocked.Read(ref s_lost)) + Late();

    /// <summary>The upper bound of a time that the settings limit to <paramref name="limit"/>.</summary>
    /// <param name="limit">The limit by the settings.</param>
    /// <param name="lost">The time lost meanwhile.</param>
    public static TimeSpan Widen(TimeSpan limit, TimeSpan lost) => limit + lost;

    /// <summary>The upper bound of a time that began when <see cref="Total"/> was <paramref name="lostBefore"/> and ends now.</summary>
    public static TimeSpan WidenSince(TimeSpan limit, TimeSpan lostBefore) => Widen(limit, Total - lostBefore);

    private static async Task WatchAsync()
    {
        while (true)
        {
            Interlocked.Exchange(ref s_pausedAt, Stopwatch.GetTimestamp());
            await Task.Delay(s_pause);
            Interlocked.Add(ref s_lost, Late().Ticks);
        }
    }

    // The resolution of a timer does not count as lost time.
    private static TimeSpan Late()
    {
        var took = Stopwatch.GetElapsedTime(Interlocked.Read(ref s_pausedAt));
        return took > 2 * s_pause ? took - (2 * s_pause) : TimeSpan.Zero;
    }
}
