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

        Timeouts = target.Timeouts;
        if (target.Host is { } host)
        {
            Headers.Host = host;
        }
    }

    /// <summary>The timeouts of the service, if the request opens a connection.</summary>
    public HttpServiceTimeoutOptions? Timeouts { get; }

    /// <summary>Whether something of the request may have been written to a connection.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>
    /// The platform calls this before it writes a header, so when it has a connection and not before
    /// (<see cref="SocketsHttpHandler.RequestHeaderEncodingSelector"/>). Every message has a header, see <see cref="SetHeader"/>.
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

    /// <summary>
    /// Gives a message without any header the <c>Host</c> header that the platform would write, because only a message with a header, its
    /// own or one of its content, notices that it begins. Call it when all other headers are set.
    /// </summary>
    public void SetHeader(HttpTarget target)
    {
        if (Headers.NonValidated.Count == 0 && Content is not { Headers.NonValidated.Count: > 0 })
        {
            Headers.Host = HttpTarget.Join(RequestUri!.IdnHost, RequestUri.Port, target.IsTls);
        }
    }

    /// <summary>Starts a timer when the request begins; null removes the timer.</summary>
    public void TimeHeaders(CancellationTokenSource? timer, TimeSpan limit)
    {
        _headersLimit = limit;
        Volatile.Write(ref _headersTimer, timer);
    }
}
