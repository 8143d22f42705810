namespace ServiceMesh.Http;

/// <summary>When to ask again. Pure.</summary>
internal static class RefreshTime
{
    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>The shortest time between two lookups of one group, whatever asks for them.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private const int MaxRetrySeconds = 30;

    /// <summary>
    /// After an answer: its time to live within 5 seconds and 5 minutes, less up to 10 % so that clients do not ask in step.
    /// </summary>
    public static TimeSpan AfterAnswer(TimeSpan timeToLive, Random random) =>
        Jitter(Math.Clamp(timeToLive.Ticks, Shortest.Ticks, Longest.Ticks), random);

    /// <summary>
    /// After "there is none": as long as that holds, within 1 second and 5 minutes, and without jitter: asked earlier, a cache would say
    /// it once more, and it would last longer than its time.
    /// </summary>
    public static TimeSpan AfterAbsence(TimeSpan timeToLive) => new(Math.Clamp(timeToLive.Ticks, Pause.Ticks, Longest.Ticks));

    /// <summary>After failures: 1 second, doubling to 30, less up to 10 %.</summary>
    /// <param name="failures">How many there were in a row, from 1.</param>
    /// <param name="random">The jitter.</param>
    public static TimeSpan AfterFailure(int failures, Random random) =>
        Jitter(TimeSpan.FromSeconds(failures > 5 ? MaxRetrySeconds : Math.Min(MaxRetrySeconds, 1 << (failures - 1))).Ticks, random);

    private static TimeSpan Jitter(long ticks, Random random) => new TimeSpan(ticks) * (1 - (0.1 * random.NextDouble()));
}
