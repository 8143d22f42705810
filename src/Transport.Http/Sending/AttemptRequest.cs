using System.Globalization;
using System.Net;
using System.Text;

namespace ServiceMesh.Http;

/// <summary>
/// The HTTP message of one attempt, addressed to an endpoint. It notices when the first byte of it is about to be written:
/// until then nothing was sent, whatever becomes of the attempt.
/// </summary>
internal sealed class AttemptRequest : HttpRequestMessage
{
    private volatile bool _hasBegun;
    private CancellationTokenSource? _answerTimer;
    private TimeSpan _answerLimit;

    /// <param name="method">HTTP's.</param>
    /// <param name="uri">At the endpoint, whose address chooses the pool of connections.</param>
    /// <param name="endpoint">Where to.</param>
    /// <param name="isTls">Whether over TLS.</param>
    /// <param name="isHttp2">Whether over HTTP/2 where nothing negotiates.</param>
    public AttemptRequest(HttpMethod method, Uri uri, Endpoint endpoint, bool isTls, bool isHttp2)
        : base(method, uri)
    {
        // Without TLS nothing negotiates, so it is known beforehand; with TLS it is the best that both have.
        Version = isTls || isHttp2 ? HttpVersion.Version20 : HttpVersion.Version11;
        VersionPolicy = isTls ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact;

        // Always, because only what has a header notices that it begins.
        Headers.Host = NameOf(endpoint.Address)
            ?? string.Create(CultureInfo.InvariantCulture, $"{(uri.HostNameType == UriHostNameType.IPv6 ? $"[{uri.IdnHost}]" : uri.IdnHost)}:{uri.Port}");
    }

    /// <summary>Whether something of it may have been written to a connection.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>What a server is called by, which goes into <c>Host</c> and is what its certificate must show; null when it has no name.</summary>
    public static string? NameOf(ResolvedAddress address) => address.Name switch
    {
        null => null,
        var name when name.Contains(':', StringComparison.Ordinal) => string.Create(CultureInfo.InvariantCulture, $"[{name}]:{address.Port}"),
        var name => string.Create(CultureInfo.InvariantCulture, $"{name}:{address.Port}"),
    };

    /// <summary>
    /// What the platform asks before it writes a header, and so when it has a connection and not before
    /// (<see cref="SocketsHttpHandler.RequestHeaderEncodingSelector"/>). Every message here has <c>Host</c>.
    /// </summary>
    public static Encoding? Beginning(string header, HttpRequestMessage request)
    {
        if (request is AttemptRequest { _hasBegun: false } attempt)
        {
            attempt._hasBegun = true;
            Volatile.Read(ref attempt._answerTimer)?.CancelAfter(attempt._answerLimit);
        }

        return null; // the platform's own
    }

    /// <summary>From when it begins, a timer runs; null stops that.</summary>
    public void TimeAnswer(CancellationTokenSource? timer, TimeSpan limit)
    {
        _answerLimit = limit;
        Volatile.Write(ref _answerTimer, timer);
    }
}
