namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:Retry</c>, and <c>ServiceMesh:Http:Services:NAME:Retry</c> for one service: what is left out there
/// is as it is for all. A request may say otherwise itself (<see cref="RetryOptions"/>).
/// </summary>
/// <remarks>
/// What is certain not to have been processed is sent again whatever it is: no connection, a stream that the server
/// refused, an answer that says so. What may have run is sent again only when it may be repeated: after 429, 502, 503, 504
/// (500 too, where the server is no ServiceMesh node), a connection that broke, an attempt that took too long.
/// </remarks>
public sealed class HttpRetryOptions
{
    /// <summary>Attempts in all, the first included; 1 turns retries off. 1 to 10. Default: 3.</summary>
    public int? Attempts { get; set; }

    /// <summary>
    /// The longest pause before the second attempt; it doubles with each further one, and the actual pause is a random
    /// part of it (full jitter). 0 to 1 minute. Default: 25 ms.
    /// </summary>
    public TimeSpan? Backoff { get; set; }

    /// <summary>What the pause grows to at most; at least <see cref="Backoff"/>. Up to 1 minute. Default: 1 second.</summary>
    public TimeSpan? MaxBackoff { get; set; }

    /// <summary>
    /// A request that may be repeated and has no answer after this long is sent to a second endpoint as well, and the first
    /// answer counts. At least 1 ms, less than the timeouts of the attempt, of its headers and of the request; not with one attempt. Default: never.
    /// </summary>
    public TimeSpan? HedgeAfter { get; set; }
}

/// <summary><c>ServiceMesh:Http:RetryBudget</c>: how much all retries and hedges of this client may add to its load.</summary>
public sealed class HttpRetryBudgetOptions
{
    /// <summary>The share of the requests that may be sent again. 0 to 1. Default: 0.2.</summary>
    public double Ratio { get; set; } = 0.2;

    /// <summary>What may be sent again in any case, per second. 0 to 10,000. Default: 10.</summary>
    public double PerSecond { get; set; } = 10;

    /// <summary>How long what was not used is kept. 1 second to 10 minutes. Default: 10 seconds.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(10);
}
