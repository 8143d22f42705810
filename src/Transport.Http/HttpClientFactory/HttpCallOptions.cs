namespace ServiceMesh.Http;

/// <summary>The rules of one request, from the request itself and the configuration. Immutable.</summary>
/// <param name="IsRepeatable">Whether the request may run twice without harm.</param>
/// <param name="Total">How long the request may take until its response headers.</param>
/// <param name="ReadAhead">The number of bytes of the response that are read within the attempt.</param>
/// <param name="HashKey">What <c>ConsistentHash</c> hashes; null for nothing.</param>
internal readonly record struct HttpCallOptions(bool IsRepeatable, TimeSpan Total, int ReadAhead, string? HashKey)
{
    private const string IdempotencyKey = Headers.IdempotencyKey;

    // RFC 9110, 9.2.2.
    private static readonly HashSet<HttpMethod> s_idempotent =
        [HttpMethod.Get, HttpMethod.Head, HttpMethod.Options, HttpMethod.Trace, HttpMethod.Put, HttpMethod.Delete];

    public static HttpCallOptions Of(HttpRequestMessage request, HttpServiceOptions service, CallSettings settings, int readAhead)
    {
        var isRepeatable = HttpRequestMessageExtensions.IsIdempotent(request)
            ?? (s_idempotent.Contains(request.Method) || Header(request, IdempotencyKey) is { Length: > 0 });
        return new(
            isRepeatable,
            HttpRequestMessageExtensions.TotalTimeoutOf(request) ?? settings.Total,
            HttpRequestMessageExtensions.ReadAheadOf(request) ?? readAhead,
            HttpRequestMessageExtensions.BalancingKeyOf(request) ?? KeyOf(request, service));
    }

    private static string? KeyOf(HttpRequestMessage request, HttpServiceOptions service) =>
        service.HashBy == HashBy.Header ? Header(request, service.HashHeader) : request.RequestUri!.PathAndQuery;

    private static string? Header(HttpRequestMessage request, string name) =>
        request.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;
}
