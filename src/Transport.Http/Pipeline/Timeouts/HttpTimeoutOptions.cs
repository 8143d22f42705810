namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:Timeouts</c>: timeouts of the phases of a request.</summary>
public sealed class HttpTimeoutOptions
{
    /// <summary>
    /// How long a TCP connection may take; together with <see cref="Tls"/> at most <see cref="Attempt"/>, where that is set.
    /// 1 ms to 1 minute. Default: 3 seconds; an attempt that has less time ends it sooner.
    /// </summary>
    [OptionRange("00:00:00.001", "00:01:00")]
    public TimeSpan? Connect { get; set; }

    /// <summary>
    /// How long the TLS handshake may take; together with <see cref="Connect"/> at most <see cref="Attempt"/>, where that is set.
    /// 1 ms to 1 minute. Default: 3 seconds; an attempt that has less time ends it sooner.
    /// </summary>
    [OptionRange("00:00:00.001", "00:01:00")]
    public TimeSpan? Tls { get; set; }

    /// <summary>
    /// How long a server may take from the first byte of the request to the headers of its answer; at most <see cref="Attempt"/>, and
    /// at most the time of the whole request. 1 ms to 1 day. Default: as <see cref="Attempt"/>.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? ResponseHeaders { get; set; }

    /// <summary>
    /// How long one attempt at one endpoint may take, so that there is time for another; at most the time of the whole request:
    /// <c>ServiceMesh:Request:Timeout</c> on the bus, and <see cref="Total"/> for HttpClients. 1 ms to 1 day. Default: 10 seconds for
    /// requests that may be repeated; other requests have no limit of their own, because no other attempt may follow.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan? Attempt { get; set; }

    /// <summary>
    /// How long a request of an HttpClient may take in all, until the headers of the answer; a request of the bus has
    /// <c>ServiceMesh:Request:Timeout</c>. 1 ms to 1 day. Default: 30 seconds.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan Total { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a connection may be silent: silence in the middle of a body ends the exchange, and an unused connection is closed.
    /// Keep it below the limit of the servers. 1 ms to 1 day. Default: 1 minute.
    /// </summary>
    [OptionRange("00:00:00.001", "1.00:00:00")]
    public TimeSpan Idle { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The same, with the timeouts of a service or client where it has its own.</summary>
    internal HttpTimeoutOptions With(HttpServiceTimeoutOptions own) => own.IsEmpty ? this : new()
    {
        Connect = own.Connect ?? Connect,
        Tls = own.Tls ?? Tls,
        ResponseHeaders = own.ResponseHeaders ?? ResponseHeaders,
        Attempt = own.Attempt ?? Attempt,
        Total = own.Total ?? Total,
        Idle = own.Idle ?? Idle,
    };

    internal TimeSpan ConnectLimit => Connect ?? TimeSpan.FromSeconds(3);

    internal TimeSpan TlsLimit => Tls ?? TimeSpan.FromSeconds(3);

    /// <summary>The default of <see cref="Attempt"/> and <see cref="ResponseHeaders"/> for requests that may be repeated.</summary>
    internal static readonly TimeSpan DefaultOfAttempt = TimeSpan.FromSeconds(10);
}
