namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:Timeouts</c>: timeouts of the phases of a request. Each is 1 ms to 1 day.</summary>
public sealed class HttpTimeoutOptions
{
    /// <summary>
    /// How long a TCP connection may take; at most 1 minute, and together with <see cref="Tls"/> at most <see cref="Attempt"/>
    /// where those are set. Default: 3 seconds; an attempt that has less time ends it sooner.
    /// </summary>
    public TimeSpan? Connect { get; set; }

    /// <summary>How long the TLS handshake may take; as <see cref="Connect"/>. Default: 3 seconds, as there.</summary>
    public TimeSpan? Tls { get; set; }

    /// <summary>
    /// How long a server may take from the first byte of the request to the headers of its answer; at most <see cref="Attempt"/>, and
    /// what that is bounded by. Default: as <see cref="Attempt"/>.
    /// </summary>
    public TimeSpan? ResponseHeaders { get; set; }

    /// <summary>
    /// How long one attempt at one endpoint may take, so that there is time for another; at most what is left of the
    /// request, and so at most <c>ServiceMesh:Request:Timeout</c> on the bus and <see cref="Total"/> of HttpClients. Default: 10 seconds for what may be repeated; for the rest no limit of its own, because no other attempt
    /// may follow and cutting it short would only lose the answer. What is set here holds for both.
    /// </summary>
    public TimeSpan? Attempt { get; set; }

    /// <summary>
    /// How long a request may take in all. Default: 30 seconds. A request of the bus brings its own
    /// (<c>ServiceMesh:Request:Timeout</c>); this one is for HttpClients, until the headers of the answer.
    /// </summary>
    public TimeSpan Total { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a connection may be silent: in the middle of a body that ends the exchange, and an unused connection is
    /// closed after it. Keep it below what servers allow. Default: 60 seconds.
    /// </summary>
    public TimeSpan Idle { get; set; } = TimeSpan.FromSeconds(60);

    internal TimeSpan ConnectLimit => Connect ?? TimeSpan.FromSeconds(3);

    internal TimeSpan TlsLimit => Tls ?? TimeSpan.FromSeconds(3);

    /// <summary>What <see cref="Attempt"/> and <see cref="ResponseHeaders"/> are for what may be repeated, when nothing else is said.</summary>
    internal static readonly TimeSpan DefaultOfAttempt = TimeSpan.FromSeconds(10);
}
