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
