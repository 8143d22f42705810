namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:Services:NAME:Timeouts</c>: the timeouts of one service, and in code those of one HttpClient. A timeout that is not
/// set has the value of <c>ServiceMesh:Http:Timeouts</c>. A request may bring its own.
/// </summary>
public sealed class HttpServiceTimeoutOptions
{
    /// <summary>How long a TCP connection may take. 1 ms to 1 minute. Default: the value for all services.</summary>
    [OptionRange("00:00:00.001", "00:01:00")]
    public TimeSpan? Connect { get; set; }

    /// <summary>How long the TLS handshake may take. 1 ms to 1 minute. Default: the value for all services.</summary>
    [OptionRange("00:00:00.001", "00:01:00")]
    public TimeSpan? Tls { get; set; }

    /// <summary>
    /// How long a server may take from the first byte of the request to the headers of its answer. 1 ms to 1 day. Default: the value for
    /// all services.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? ResponseHeaders { get; set; }

    /// <summary>
    /// How long one attempt at one endpoint may take; it also bounds each copy of a signal. 1 ms to 1 day. Default: the value for all
    /// services.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? Attempt { get; set; }

    /// <summary>
    /// How long a request of an HttpClient may take in all; a request of the bus has <c>ServiceMesh:Request:Timeout</c>. 1 ms to 1 day.
    /// Default: the value for all services.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? Total { get; set; }

    /// <summary>
    /// How long the body of an answer to an HttpClient may be silent. Unused connections are closed after the value for all services.
    /// 1 ms to 1 day. Default: the value for all services.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? Idle { get; set; }

    internal bool IsEmpty => All == default;

    internal (TimeSpan? Connect, TimeSpan? Tls, TimeSpan? Headers, TimeSpan? Attempt, TimeSpan? Total, TimeSpan? Idle) All =>
        (Connect, Tls, ResponseHeaders, Attempt, Total, Idle);
}
