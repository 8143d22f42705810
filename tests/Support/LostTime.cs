using System.Diagnostics;

namespace ServiceMesh.Support;

/// <summary>
/// What a loaded machine adds to every time, whatever the settings say: the one place that upper bounds of times are widened
/// in. A pause of two milliseconds is taken again and again beside the tests; by how much these come back too late, in all, is what
/// any other code that waited for a timer or a thread meanwhile has lost about as well. Thread-safe.
/// </summary>
public static class LostTime
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(2);
    private static long s_lost;
    private static long s_pausedAt = Stopwatch.GetTimestamp();

    static LostTime() => _ = Task.Run(WatchAsync);

    /// <summary>All of it since the first use. The difference of two is what was lost between them.</summary>
    public static TimeSpan Total => TimeSpan.FromTicks(Interlocked.Read(ref s_lost)) + Late();

    /// <summary>What a time may be of which the settings say <paramref name="limit"/>.</summary>
    /// <param name="limit">By the settings.</param>
    /// <param name="lost">Meanwhile.</param>
    public static TimeSpan Widen(TimeSpan limit, TimeSpan lost) => limit + lost;

    /// <summary>The same, of a time that began when <paramref name="lostBefore"/> was the <see cref="Total"/> and ends now.</summary>
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

    // A timer's own coarseness is no lost time.
    private static TimeSpan Late()
    {
        var took = Stopwatch.GetElapsedTime(Interlocked.Read(ref s_pausedAt));
        return took > 2 * s_pause ? took - (2 * s_pause) : TimeSpan.Zero;
    }
}
