namespace ServiceMesh.Http;

/// <summary>
/// The pause before an attempt: doubling, with full jitter, so that callers which failed together do not come back together
/// (Marc Brooker, "Exponential Backoff And Jitter", AWS 2015). Pure.
/// </summary>
internal static class Backoff
{
    /// <param name="first">The longest pause before the second attempt.</param>
    /// <param name="longest">What it grows to.</param>
    /// <param name="attempts">Attempts made so far, at least 1.</param>
    /// <param name="chance">From 0 to 1.</param>
    public static TimeSpan Before(TimeSpan first, TimeSpan longest, int attempts, double chance)
    {
        var most = Math.Min(longest.TotalSeconds, first.TotalSeconds * Math.Pow(2, Math.Min(attempts - 1, 30)));
        return TimeSpan.FromSeconds(most * chance);
    }
}
