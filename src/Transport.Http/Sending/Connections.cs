using System.Globalization;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

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

    private readonly Dialer _dialer;
    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _clock;
    private readonly string? _authorization;

    public Connections(HttpTransportOptions options, TimeProvider clock, Random random)
    {
        _clock = clock;
        _authorization = options.Token is null ? null : $"Bearer {options.Token}";
        _dialer = new(options.Timeouts, options.Tls, clock);
        _http = new(_dialer.MakeHandler(random));
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
    public async Task<HttpReply?> SendAsync(
        Member member, HttpMethod method, string path, IEnumerable<(string Name, string Value)> headers, string contentType, ReadOnlyMemory<byte> body, int limit,
        CancellationToken cancellationToken, bool isMessage = false)
    {
        using var request = Make(member, method, member.UriOf(path), contentType, body);
        foreach (var (header, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        return await SendAsync(request, member, body.Length, limit, isMessage, TimeSpan.Zero, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a request that was made here and reads its whole answer; null when that is larger than the limit.</summary>
    /// <param name="request">From <see cref="Make"/>.</param>
    /// <param name="member">Where to.</param>
    /// <param name="sent">Bytes of its body.</param>
    /// <param name="limit">The most bytes of the answer.</param>
    /// <param name="isMessage">Whether the endpoint's latency and load are learned from it.</param>
    /// <param name="headersLimit">How long the headers of the answer may take once there is a connection; infinite for zero too.</param>
    /// <param name="cancellationToken">Ends it at once; the server hears of it.</param>
    /// <exception cref="PhaseTimeoutException">The headers took too long.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<HttpReply?> SendAsync(
        AttemptRequest request, Member member, int sent, int limit, bool isMessage, TimeSpan headersLimit, CancellationToken cancellationToken)
    {
        var began = _clock.GetTimestamp();
        using var response = await SendAsync(request, headersLimit, member, cancellationToken).ConfigureAwait(false);
        var answered = new List<(string, string)>();
        foreach (var (name, values) in response.Headers.NonValidated)
        {
            // The rest is between the platform and the server.
            if (ReplyWire.Reads(name))
            {
                foreach (var value in values)
                {
                    answered.Add((name, value));
                }
            }
        }

        var latency = _clock.GetElapsedTime(began);
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var read = await BoundedBody.ReadAsync(stream, response.Content.Headers.ContentLength, limit, cancellationToken).ConfigureAwait(false);
            member.Endpoint.RecordBytes(sent + (read?.Length ?? 0));
            if (isMessage)
            {
                Learn(member.Endpoint, response, latency); // now, because an answer that breaks off is no success
            }

            var type = response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var types) ? types.ToString() : "";
            return read is null ? null : new HttpReply((int)response.StatusCode, type, answered, read);
        }
    }

    /// <summary>A request to a member, with what every one of them has.</summary>
    /// <param name="member">Where to.</param>
    /// <param name="method">GET or POST.</param>
    /// <param name="uri">Of that member.</param>
    /// <param name="contentType">Of the body; empty for none.</param>
    /// <param name="body">Sent with a POST.</param>
    public AttemptRequest Make(Member member, HttpMethod method, Uri uri, string contentType, ReadOnlyMemory<byte> body)
    {
        var request = new AttemptRequest(method, uri, member.Endpoint, member.Service.IsTls(member.Endpoint), member.Service.Settings.Http2);

        // The secret of the nodes is none of a foreign server's business.
        if (_authorization is not null && !member.Service.IsForeign)
        {
            request.Headers.TryAddWithoutValidation("Authorization", _authorization);
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

    /// <summary>Sends one HTTP request; its answer's body is still to come.</summary>
    /// <param name="request">Addressed to an endpoint.</param>
    /// <param name="headersLimit">How long the headers of the answer may take once there is a connection; infinite for zero too.</param>
    /// <param name="endpoint">Where to, as it is named to people.</param>
    /// <param name="cancellationToken">Ends it at once; the server hears of it.</param>
    /// <exception cref="PhaseTimeoutException">The headers took too long.</exception>
    public Task<HttpResponseMessage> SendAsync(AttemptRequest request, TimeSpan headersLimit, object endpoint, CancellationToken cancellationToken) =>
        headersLimit > TimeSpan.Zero ? SendWithinAsync(request, headersLimit, endpoint, cancellationToken) : _http.SendAsync(request, cancellationToken);

    /// <summary>What an answer says of the endpoint: its latency, a failure, its load.</summary>
    public void Learn(Endpoint endpoint, HttpResponseMessage response, TimeSpan latency)
    {
        if (IsFailure((int)response.StatusCode))
        {
            // Who is full, or is a node that says so itself, or took nothing of it, is well: as the verdict has it.
            endpoint.RecordFailure(
                RetryAfter.Of(response.Headers.RetryAfter, _clock),
                isWell: (int)response.StatusCode == 429 || response.Headers.NonValidated.Contains(MeshHeader.Status) || SaysNotProcessed(response));
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

    /// <summary>Whether an answer says that nothing ran.</summary>
    public static bool SaysNotProcessed(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues(MeshHeader.NotProcessed, out var said) && said.ToString() == "1";

    /// <summary>What the cancellation of an attempt carries: how it ended, and that nothing of it was sent, if so.</summary>
    public OperationCanceledException Cancelled(AttemptRequest request, Exception failure, CancellationToken cancellationToken) =>
        new(failure.Message, request.HasBegun ? failure : new NothingSentException(_dialer.PhaseAt(request.RequestUri!), failure), cancellationToken);

    /// <summary>True when a failure means that nothing ran: there was no connection, or the server refused the stream.</summary>
    public static bool WasNotSent(AttemptRequest request, Exception failure) => !request.HasBegun || WasNotSent(failure);

    /// <summary>The same, where it is only known how it failed.</summary>
    public static bool WasNotSent(Exception failure) => failure switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError } => true,
        PhaseTimeoutException { UnderWay: TimeoutPhase.Connect or TimeoutPhase.Tls } => true,
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

    // The timer runs from the first byte of the request: how long the connection may take is the affair of other timers.
    private async Task<HttpResponseMessage> SendWithinAsync(AttemptRequest request, TimeSpan limit, object endpoint, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        request.TimeAnswer(timer, limit);
        try
        {
            return await _http.SendAsync(request, either.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new PhaseTimeoutException(TimeoutPhase.ResponseHeaders, limit, endpoint.ToString(), failure);
        }
        finally
        {
            request.TimeAnswer(null, limit);
        }
    }
}
