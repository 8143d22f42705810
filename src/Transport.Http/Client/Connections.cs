using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ServiceMesh.Http;

/// <summary>
/// The connections to all endpoints. The address in the URI chooses the pool, so each endpoint has its own; the name in
/// <c>Host</c> is what its certificate must show. Thread-safe.
/// </summary>
internal sealed class Connections : IDisposable
{
    // Of a body that may be refused for its size, the headers go first (RFC 9110, 10.1.1).
    private const int LargeBody = 1024 * 1024;

    private const long RefusedStream = 7; // RFC 9113, 7: nothing was processed

    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _clock;
    private readonly string? _authorization;

    public Connections(HttpTransportOptions options, TimeProvider clock, Random random)
    {
        _clock = clock;
        _authorization = options.Token is null ? null : $"Bearer {options.Token}";
        _http = new(new Dialer(options.Timeouts, options.Tls, clock).MakeHandler(random));
    }

    /// <summary>Sends one HTTP request and reads its whole answer; null when that is larger than the limit.</summary>
    /// <param name="member">Where to.</param>
    /// <param name="method">GET or POST.</param>
    /// <param name="path">With its query.</param>
    /// <param name="headers">Without HTTP's own.</param>
    /// <param name="contentType">Of the body; empty for none.</param>
    /// <param name="body">Sent with a POST.</param>
    /// <param name="limit">The most bytes of the answer.</param>
    /// <param name="cancellationToken">Ends it at once; the server hears of it.</param>
    /// <param name="isMessage">Whether the endpoint's latency and load are learned from it.</param>
    /// <param name="headersLimit">How long the headers of the answer may take; infinite by default, as no time is.</param>
    /// <exception cref="PhaseTimeoutException">The headers took too long.</exception>
    public async Task<HttpReply?> SendAsync(
        Member member, HttpMethod method, string path, IEnumerable<(string Name, string Value)> headers, string contentType, ReadOnlyMemory<byte> body, int limit,
        CancellationToken cancellationToken, bool isMessage = false, TimeSpan headersLimit = default)
    {
        using var request = Make(member, method, path, headers, contentType, body);
        var began = _clock.GetTimestamp();
        using var response = headersLimit > TimeSpan.Zero
            ? await SendWithinAsync(request, member, headersLimit, cancellationToken).ConfigureAwait(false)
            : await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        var answered = new List<(string, string)>();
        foreach (var (name, values) in response.Headers.NonValidated)
        {
            foreach (var value in values)
            {
                answered.Add((name, value));
            }
        }

        if (isMessage)
        {
            Learn(member.Endpoint, response, _clock.GetElapsedTime(began));
        }

        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var read = await BoundedBody.ReadAsync(stream, response.Content.Headers.ContentLength, limit, cancellationToken).ConfigureAwait(false);
            member.Endpoint.RecordBytes(body.Length + (read?.Length ?? 0));
            var type = response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var types) ? types.ToString() : "";
            return read is null ? null : new HttpReply((int)response.StatusCode, type, answered, read);
        }
    }

    /// <summary>True when a failure means that nothing ran: there was no connection, or the server refused the stream.</summary>
    public static bool WasNotSent(Exception failure) => failure switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError } => true,
        PhaseTimeoutException { Phase: TimeoutPhase.Connect or TimeoutPhase.Tls } => true,
        HttpRequestException { InnerException: HttpProtocolException { ErrorCode: RefusedStream } } => true,
        _ => false,
    };

    /// <summary>True for a status that speaks against the endpoint and not against the request.</summary>
    public static bool IsFailure(int status) => status is 429 or >= 500;

    /// <summary>What went wrong, in a few words.</summary>
    public static string ReasonOf(Exception failure) => failure.GetBaseException() switch
    {
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "refuses connections",
        _ when failure is PhaseTimeoutException or { InnerException: PhaseTimeoutException } => (failure as PhaseTimeoutException ?? failure.InnerException!).Message.TrimEnd('.'),
        var other => other.Message,
    };

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendWithinAsync(HttpRequestMessage request, Member member, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(limit, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            return await _http.SendAsync(request, either.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new PhaseTimeoutException(TimeoutPhase.ResponseHeaders, limit, member.ToString(), failure);
        }
    }

    private HttpRequestMessage Make(
        Member member, HttpMethod method, string path, IEnumerable<(string Name, string Value)> headers, string contentType, ReadOnlyMemory<byte> body)
    {
        var (endpoint, isTls) = (member.Endpoint, member.Service.IsTls(member.Endpoint));
        var request = new HttpRequestMessage(method, $"{(isTls ? "https" : "http")}://{endpoint}{path}")
        {
            // Without TLS nothing negotiates, so it is known beforehand; with TLS it is the best that both have.
            Version = isTls || member.Service.Settings.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = isTls ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact,
        };
        if (endpoint.Address.Name is { } name)
        {
            var host = name.Contains(':', StringComparison.Ordinal) ? $"[{name}]" : name;
            request.Headers.Host = string.Create(CultureInfo.InvariantCulture, $"{host}:{endpoint.Address.Port}");
        }

        // The secret of the nodes is none of a foreign server's business.
        if (_authorization is not null && !member.Service.IsForeign)
        {
            request.Headers.TryAddWithoutValidation("Authorization", _authorization);
        }

        foreach (var (header, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        if (method == HttpMethod.Post)
        {
            request.Content = new ReadOnlyMemoryContent(body);
            request.Headers.ExpectContinue = body.Length >= LargeBody ? true : null;
            if (contentType.Length > 0)
            {
                request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
            }
        }

        return request;
    }

    private static void Learn(Endpoint endpoint, HttpResponseMessage response, TimeSpan latency)
    {
        if (IsFailure((int)response.StatusCode))
        {
            // Who is full, or is a node that says so itself, is well.
            endpoint.RecordFailure(response.Headers.RetryAfter?.Delta, isWell: (int)response.StatusCode == 429 || response.Headers.NonValidated.Contains(MeshHeader.Status));
        }
        else
        {
            endpoint.RecordSuccess(latency);
        }

        if (response.Headers.NonValidated.TryGetValues(MeshHeader.Load, out var said)
            && double.TryParse(said.ToString(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var load))
        {
            endpoint.ReportedLoad = load;
        }
    }
}
