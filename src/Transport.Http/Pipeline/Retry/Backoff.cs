namespace ServiceMesh.Http;

/// <summary>
/// The pause before an attempt: it doubles, with full jitter, so that callers that failed together do not return together
/// (Marc Brooker, "Exponential Backoff And Jitter", AWS 2015). Pure.
/// </summary>
internal static class Backoff
{
    /// <param name="first">The longest pause before the second attempt.</param>
    /// <param name="max">The limit of the longest pause.</param>
    /// <param name="attempts">The attempts made so far, at least 1.</param>
    /// <param name="chance">A random number from 0 to 1.</param>
    public static TimeSpan Before(TimeSpan first, TimeSpan max, int attempts, double chance)
    {
        var longest = Math.Min(max.TotalSeconds, first.TotalSeconds * Math.Pow(2, Math.Min(attempts - 1, 30)));
        return TimeSpan.FromSeconds(longest * chance);
    }
}
