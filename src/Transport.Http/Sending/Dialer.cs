using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;

namespace ServiceMesh.Http;

/// <summary>
/// Opens the connections of a client, TCP and the TLS handshake, each within its own timeout, for the connection pools of the platform.
/// </summary>
internal sealed class Dialer
{
    private const int MaxHeaderKilobytes = 128;

    private readonly HttpTimeoutOptions _timeouts;
    private readonly ClientTls _tls;
    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Host, int Port), (int Connecting, int Handshaking)> _underWay = [];

    /// <param name="timeouts">The timeouts of connection and handshake.</param>
    /// <param name="tls">What is trusted and shown in handshakes.</param>
    /// <param name="clock">The clock.</param>
    public Dialer(HttpTimeoutOptions timeouts, ClientTls tls, TimeProvider clock)
    {
        _timeouts = timeouts;
        _tls = tls;
        _clock = clock;
    }

    /// <summary>
    /// A handler with a pool for each endpoint. It has no proxy, no cookies and no redirects: a request goes to the chosen endpoint.
    /// </summary>
    public SocketsHttpHandler MakeHandler(Random random) => new()
    {
        ConnectCallback = ConnectAsync,
        RequestHeaderEncodingSelector = AttemptRequest.OnHeader,
        ConnectTimeout = Timeout.InfiniteTimeSpan, // each phase has its own timeout
        PooledConnectionIdleTimeout = _timeouts.Idle,
        // An endpoint may be a name whose address changes, so connections are renewed: ± a fifth, so that not all are renewed at once.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5) * (0.8 + (0.4 * random.NextDouble())),
        EnableMultipleHttp2Connections = true,
        KeepAlivePingDelay = TimeSpan.FromSeconds(30),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        MaxResponseHeadersLength = MaxHeaderKilobytes,
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null, // each attempt has its own span and sends it
    };

    /// <summary>
    /// The phase that a request without a connection waits for: that the endpoint accepts a connection, or the end of a TLS handshake.
    /// </summary>
    public TimeoutPhase PhaseAt(Uri uri)
    {
        lock (_lock)
        {
            var isHandshaking = _underWay.TryGetValue((uri.IdnHost, uri.Port), out var counts) && counts.Handshaking > 0;
            return isHandshaking ? TimeoutPhase.Tls : TimeoutPhase.Connect;
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var own = (context.InitialRequestMessage as AttemptRequest)?.Timeouts;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await WithinAsync(
                token => socket.ConnectAsync(context.DnsEndPoint, token).AsTask(), TimeoutPhase.Connect,
                own?.Connect ?? _timeouts.ConnectLimit, host, port, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        var stream = new NetworkStream(socket, ownsSocket: true);
        if (context.InitialRequestMessage.RequestUri?.Scheme != Uri.UriSchemeHttps)
        {
            return stream;
        }

        var secured = new SslStream(stream);
        try
        {
            var options = new SslClientAuthenticationOptions
            {
                // The certificate must contain the name in the Host header, by which the service is known.
                TargetHost = NameIn(context.InitialRequestMessage.Headers) ?? host,
                CertificateChainPolicy = _tls.Trust,
                ClientCertificateContext = _tls.Certificate?.Context,
                ApplicationProtocols = context.InitialRequestMessage.Version.Major >= 2
                    ? [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11]
                    : [SslApplicationProtocol.Http11],
            };
            await WithinAsync(
                token => secured.AuthenticateAsClientAsync(options, token), TimeoutPhase.Tls, own?.Tls ?? _timeouts.TlsLimit, host, port,
                cancellationToken).ConfigureAwait(false);
            return secured;
        }
        catch
        {
            await secured.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task WithinAsync(
        Func<CancellationToken, Task> work, TimeoutPhase phase, TimeSpan limit, string host, int port, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(limit, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        Count(phase, host, port, 1);
        try
        {
            await work(either.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            var name = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
            throw new PhaseTimeoutException(phase, limit, string.Create(CultureInfo.InvariantCulture, $"{name}:{port}"), failure);
        }
        finally
        {
            Count(phase, host, port, -1);
        }
    }

    private void Count(TimeoutPhase phase, string host, int port, int change)
    {
        lock (_lock)
        {
            var (connecting, handshaking) = _underWay.GetValueOrDefault((host, port));
            (int, int) counts = phase == TimeoutPhase.Tls ? (connecting, handshaking + change) : (connecting + change, handshaking);
            if (counts == (0, 0))
            {
                _underWay.Remove((host, port));
            }
            else
            {
                _underWay[(host, port)] = counts;
            }
        }
    }

    private static string? NameIn(HttpRequestHeaders headers) =>
        headers.Host is { Length: > 0 } host && Uri.TryCreate($"https://{host}", UriKind.Absolute, out var name) ? name.IdnHost : null;
}
