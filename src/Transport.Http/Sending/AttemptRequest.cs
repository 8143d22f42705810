using System.Globalization;
using System.Net;
using System.Text;

namespace ServiceMesh.Http;

/// <summary>
/// The HTTP message of one attempt, addressed to an endpoint. It notices when its first byte is about to be written: until then nothing
/// was sent, however the attempt ends.
/// </summary>
internal sealed class AttemptRequest : HttpRequestMessage
{
    private volatile bool _hasBegun;
    private CancellationTokenSource? _headersTimer;
    private TimeSpan _headersLimit;

    /// <param name="method">The HTTP method.</param>
    /// <param name="uri">The URI at the endpoint, whose address chooses the pool of connections.</param>
    /// <param name="target">The endpoint.</param>
    public AttemptRequest(HttpMethod method, Uri uri, HttpTarget target)
        : base(method, uri)
    {
        // Without TLS nothing negotiates the version, so the configuration decides. With TLS the best version of both sides is used.
        Version = target.IsTls || target.IsHttp2 ? HttpVersion.Version20 : HttpVersion.Version11;
        VersionPolicy = target.IsTls ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact;

        // Always set, because only a message with a header notices that it begins.
        Headers.Host = HostOf(target.Endpoint.Address, target.IsTls) ?? Join(uri.IdnHost, uri.Port, target.IsTls);
    }

    /// <summary>Whether something of the request may have been written to a connection.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>
    /// The platform calls this before it writes a header, so when it has a connection and not before
    /// (<see cref="SocketsHttpHandler.RequestHeaderEncodingSelector"/>). Every message here has the <c>Host</c> header.
    /// </summary>
    public static Encoding? OnHeader(string header, HttpRequestMessage request)
    {
        if (request is AttemptRequest { _hasBegun: false } attempt)
        {
            attempt._hasBegun = true;
            Volatile.Read(ref attempt._headersTimer)?.CancelAfter(attempt._headersLimit);
        }

        return null; // the encoding of the platform
    }

    /// <summary>Starts a timer when the request begins; null removes the timer.</summary>
    public void TimeHeaders(CancellationTokenSource? timer, TimeSpan limit)
    {
        _headersLimit = limit;
        Volatile.Write(ref _headersTimer, timer);
    }

    // The name of the server, which its certificate must contain too; null if the address has no name.
    private static string? HostOf(ResolvedAddress address, bool isTls) =>
        address.Name is { } name ? Join(name, address.Port, isTls) : null;

    // Without the default port of the scheme, as every other client sends it (RFC 9110, 4.2.3): some servers compare the whole text.
    private static string Join(string host, int port, bool isTls)
    {
        var name = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        return port == (isTls ? 443 : 80) ? name : string.Create(CultureInfo.InvariantCulture, $"{name}:{port}");
    }
}
