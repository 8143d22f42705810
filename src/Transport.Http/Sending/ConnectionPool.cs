namespace ServiceMesh.Http;

/// <summary>
/// Sends HTTP requests over the connections to all endpoints. The address in the URI chooses the pool, so each endpoint has its own; the
/// name in <c>Host</c> is what its certificate must contain. Thread-safe.
/// </summary>
internal sealed class ConnectionPool : IDisposable
{
    private readonly Dialer _dialer;
    private readonly HttpMessageInvoker _http;
    private readonly TimeProvider _clock;

    /// <param name="timeouts">The timeouts of connection and handshake.</param>
    /// <param name="tls">What is trusted and shown in handshakes.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="random">The source of randomness; must be thread-safe.</param>
    public ConnectionPool(HttpTimeoutOptions timeouts, ClientTls tls, TimeProvider clock, Random random)
    {
        _clock = clock;
        _dialer = new(timeouts, tls, clock);
        _http = new(_dialer.MakeHandler(random));
    }

    /// <summary>Sends one HTTP request. The body of the response is not read yet.</summary>
    /// <param name="request">The request, addressed to an endpoint.</param>
    /// <param name="headersLimit">How long the response headers may take on an open connection; zero or infinite for no limit.</param>
    /// <param name="endpoint">The name of the endpoint for messages.</param>
    /// <param name="cancellationToken">Ends the request at once; the server notices it.</param>
    /// <exception cref="PhaseTimeoutException">The response headers took too long.</exception>
    public Task<HttpResponseMessage> SendAsync(
        AttemptRequest request, TimeSpan headersLimit, string endpoint, CancellationToken cancellationToken) =>
        headersLimit > TimeSpan.Zero
            ? SendWithinAsync(request, headersLimit, endpoint, cancellationToken)
            : _http.SendAsync(request, cancellationToken);

    /// <summary>The same as <see cref="SendAsync"/> on the thread of the caller, over HTTP/1.1.</summary>
    public HttpResponseMessage Send(AttemptRequest request, TimeSpan headersLimit, string endpoint, CancellationToken cancellationToken)
    {
        if (headersLimit <= TimeSpan.Zero)
        {
            return _http.Send(request, cancellationToken);
        }

        using var timer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        request.TimeHeaders(timer, headersLimit);
        try
        {
            return _http.Send(request, either.Token);
        }
        catch (Exception failure) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new PhaseTimeoutException(TimeoutPhase.ResponseHeaders, headersLimit, endpoint, failure);
        }
        finally
        {
            request.TimeHeaders(null, headersLimit);
        }
    }

    /// <summary>The cancellation of an attempt: it contains how the attempt ended, and whether nothing of it was sent.</summary>
    public OperationCanceledException Cancelled(AttemptRequest request, Exception failure, CancellationToken cancellationToken)
    {
        var inner = request.HasBegun ? failure : new NothingSentException(_dialer.PhaseAt(request.RequestUri!), failure);
        return new(failure.Message, inner, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    // The timer starts with the first byte of the request. Other timers limit the time for the connection.
    private async Task<HttpResponseMessage> SendWithinAsync(
        AttemptRequest request, TimeSpan limit, string endpoint, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        request.TimeHeaders(timer, limit);
        try
        {
            return await _http.SendAsync(request, either.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new PhaseTimeoutException(TimeoutPhase.ResponseHeaders, limit, endpoint, failure);
        }
        finally
        {
            request.TimeHeaders(null, limit);
        }
    }
}
