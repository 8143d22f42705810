namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:Retry</c>, and <c>ServiceMesh:Http:Services:NAME:Retry</c> for one service: an option that a service does
/// not set has the value for all services. A request may override both (<see cref="RetryOptions"/>).
/// </summary>
/// <remarks>
/// A request that was certainly not processed is sent again, whatever it is: there was no connection, the server refused the
/// stream, or the answer says so. A request that may have run is sent again only when it may be repeated: after 429, 502, 503, 504
/// (500 too, where the server is not a ServiceMesh node), a connection that broke, or an attempt that took too long.
/// </remarks>
public sealed class HttpRetryOptions
{
    /// <summary>Attempts in all, the first included; 1 turns retries off. 1 to 10. Default: 3.</summary>
    [OptionRange(1, 10)]
    public int? Attempts { get; set; }

    /// <summary>
    /// The longest pause before the second attempt; it doubles with each further one, and the actual pause is a random
    /// part of it (full jitter). 0 to 1 minute. Default: 25 ms.
    /// </summary>
    [OptionRange("00:00:00", "00:01:00")]
    public TimeSpan? Backoff { get; set; }

    /// <summary>The longest that the pause grows to; at least <see cref="Backoff"/>. 0 to 1 minute. Default: 1 second.</summary>
    [OptionRange("00:00:00", "00:01:00")]
    public TimeSpan? MaxBackoff { get; set; }

    /// <summary>
    /// A request that may be repeated and has no answer after this long is sent to a second endpoint as well, and the first
    /// answer counts; less than the timeouts of the attempt, of its headers and of the request, and not with one attempt. 1 ms to
    /// 1 day. Default: never.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? HedgeAfter { get; set; }
}

/// <summary><c>ServiceMesh:Http:RetryBudget</c>: how much all retries and hedges of this client may add to its load.</summary>
public sealed class HttpRetryBudgetOptions
{
    /// <summary>The share of the requests of the last 10 seconds that may be sent again. 0 to 1. Default: 0.2.</summary>
    [OptionRange(0, 1)]
    public double Ratio { get; set; } = 0.2;

    /// <summary>The number of requests per second that may be sent again in any case. 0 to 10,000. Default: 10.</summary>
    [OptionRange(0, 10_000)]
    public double PerSecond { get; set; } = 10;

    /// <summary>How long both are counted. Not an option: tests change it.</summary>
    internal TimeSpan Window { get; set; } = TimeSpan.FromSeconds(10);
}
