using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>
/// Sends HTTP requests to nodes and foreign servers and reads each response completely, within a limit. The endpoint learns its traffic
/// and its load; whether it succeeded or failed is for the caller to classify. Thread-safe.
/// </summary>
internal sealed class BufferedClient(ConnectionPool connections, string? token, TimeProvider clock)
{
    // For a body that may be refused because of its size, the headers are sent first (RFC 9110, 10.1.1).
    private const int LargeBody = 1024 * 1024;

    private readonly string? _authorization = token is null ? null : $"Bearer {token}";

    /// <summary>Creates a request with the headers that every request has.</summary>
    /// <param name="target">The endpoint.</param>
    /// <param name="method">GET or POST.</param>
    /// <param name="uri">The URI at that endpoint.</param>
    /// <param name="contentType">The media type of the body; empty for none.</param>
    /// <param name="body">The body of a POST.</param>
    public AttemptRequest Make(HttpTarget target, HttpMethod method, Uri uri, string contentType, ReadOnlyMemory<byte> body)
    {
        var request = new AttemptRequest(method, uri, target);

        // The shared secret of the nodes must not be sent to a foreign server.
        if (_authorization is not null && !target.IsForeign)
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

    /// <summary>Sends a request and reads the whole response.</summary>
    /// <param name="request">A request from <see cref="Make"/>.</param>
    /// <param name="target">The endpoint.</param>
    /// <param name="maxBytes">The maximum number of bytes of the response body.</param>
    /// <param name="headersLimit">How long the response headers may take on an open connection; zero or infinite for no limit.</param>
    /// <param name="cancellationToken">Ends the request at once; the server notices it.</param>
    /// <exception cref="HttpRequestException">There is no response, or it broke off.</exception>
    /// <exception cref="PhaseTimeoutException">The connection or the response headers took too long.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<HttpExchange> SendAsync(
        AttemptRequest request, HttpTarget target, int maxBytes, TimeSpan headersLimit, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        request.SetHeader(target);
        using var response = await connections.SendAsync(request, headersLimit, target.Name, cancellationToken).ConfigureAwait(false);
        var latency = clock.GetElapsedTime(began);
        var headers = default(ReplyHeaders);
        foreach (var (name, values) in response.Headers.NonValidated)
        {
            // The other headers are between the platform and the server.
            if (ReplyHeaders.Reads(name))
            {
                foreach (var value in values)
                {
                    headers.Read(name, value, clock);
                }
            }
        }

        // The stream belongs to the response. Its headers have arrived, so this does not wait.
        var content = response.Content;
        var stream = content.ReadAsStream(cancellationToken);
        var body = await BoundedBody.ReadAsync(stream, content.Headers.ContentLength, maxBytes, cancellationToken).ConfigureAwait(false);
        target.Endpoint.RecordBytes((request.Content?.Headers.ContentLength ?? 0) + (body?.Length ?? 0));
        if (headers.Load is { } load)
        {
            target.Endpoint.ReportedLoad = load;
        }

        var type = content.Headers.NonValidated.TryGetValues("Content-Type", out var types) ? types.ToString() : "";
        return new((int)response.StatusCode, type, headers, body) { IsTooLarge = body is null, Latency = latency };
    }
}
