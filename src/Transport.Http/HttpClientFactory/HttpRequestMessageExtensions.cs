namespace ServiceMesh.Http;

/// <summary>
/// Options of one request of an HttpClient for the mesh, kept in <see cref="HttpRequestMessage.Options"/>. Each method returns the request.
/// They have no effect on a client without the mesh.
/// </summary>
/// <example>
/// <code source="samples/Snippets/HttpClients.cs" region="options" />
/// </example>
public static class HttpRequestMessageExtensions
{
    private static readonly HttpRequestOptionsKey<RetryOptions> s_retry = new("mesh-retry");
    private static readonly HttpRequestOptionsKey<bool> s_idempotent = new("mesh-idempotent");
    private static readonly HttpRequestOptionsKey<bool> s_repeatableBody = new("mesh-repeatable-body");
    private static readonly HttpRequestOptionsKey<TimeSpan> s_timeout = new("mesh-timeout");
    private static readonly HttpRequestOptionsKey<string> s_key = new("mesh-balancing-key");
    private static readonly HttpRequestOptionsKey<int> s_readAhead = new("mesh-read-ahead");

    /// <summary>
    /// How the request is sent again if an attempt fails: attempts, statuses, attempt timeout, hedging. The configuration applies to values
    /// that are null, and to all values if this method is not called.
    /// </summary>
    public static HttpRequestMessage SetRetry(this HttpRequestMessage request, RetryOptions retry)
    {
        ArgumentNullException.ThrowIfNull(retry);
        return Set(request, s_retry, retry);
    }

    /// <summary>
    /// Whether the request may run twice without harm, so that it is sent again if it is not known whether it ran. Default: true for GET,
    /// HEAD, OPTIONS, TRACE, PUT and DELETE, and for any request with an <c>Idempotency-Key</c>; otherwise false.
    /// </summary>
    public static HttpRequestMessage SetIdempotent(this HttpRequestMessage request, bool isIdempotent = true) =>
        Set(request, s_idempotent, isIdempotent);

    /// <summary>
    /// Whether the content can be serialized more than once, for instance a stream that can seek, or your own content that opens a file
    /// each time. Default: true for bytes, texts, forms, JSON and multiparts of those. Other content can be sent again only until its
    /// serialization has begun; that includes a lazy sequence as JSON (<see cref="IAsyncEnumerable{T}"/>, or an <see
    /// cref="IEnumerable{T}"/> that is not a collection). Set false for an object that contains a lazy sequence.
    /// </summary>
    public static HttpRequestMessage SetRepeatableBody(this HttpRequestMessage request, bool isRepeatable = true) =>
        Set(request, s_repeatableBody, isRepeatable);

    /// <summary>
    /// How long the request may take in total, until its response headers: more than zero, at most one day. Default:
    /// <c>ServiceMesh:Http:Timeouts:Total</c>.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The timeout is not positive, or longer than a day.</exception>
    public static HttpRequestMessage SetTotalTimeout(this HttpRequestMessage request, TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(timeout, TimeSpan.FromDays(1));
        return Set(request, s_timeout, timeout);
    }

    /// <summary>
    /// What the balancer <c>ConsistentHash</c> hashes. Default: what <c>Services:NAME:HashBy</c> says, which is the
    /// header that <c>Services:NAME:HashHeader</c> names unless it is changed.
    /// </summary>
    public static HttpRequestMessage SetBalancingKey(this HttpRequestMessage request, string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return Set(request, s_key, key);
    }

    /// <summary>
    /// The number of bytes of the response that are read within the attempt, so that the request is sent again if the response breaks off.
    /// A longer response is a stream from there on. With 0 each byte is handed over as it arrives. Default:
    /// <c>ServiceMesh:Http:HttpClients:ReadAhead</c>.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative.</exception>
    public static HttpRequestMessage SetReadAhead(this HttpRequestMessage request, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return Set(request, s_readAhead, bytes);
    }

    internal static RetryOptions? RetryOf(HttpRequestMessage request) =>
        request.Options.TryGetValue(s_retry, out var retry) ? retry : null;

    internal static bool? IsIdempotent(HttpRequestMessage request) =>
        request.Options.TryGetValue(s_idempotent, out var isIdempotent) ? isIdempotent : null;

    internal static bool? HasRepeatableBody(HttpRequestMessage request) =>
        request.Options.TryGetValue(s_repeatableBody, out var isRepeatable) ? isRepeatable : null;

    internal static TimeSpan? TotalTimeoutOf(HttpRequestMessage request) =>
        request.Options.TryGetValue(s_timeout, out var timeout) ? timeout : null;

    internal static string? BalancingKeyOf(HttpRequestMessage request) =>
        request.Options.TryGetValue(s_key, out var key) ? key : null;

    internal static int? ReadAheadOf(HttpRequestMessage request) =>
        request.Options.TryGetValue(s_readAhead, out var bytes) ? bytes : null;

    private static HttpRequestMessage Set<T>(HttpRequestMessage request, HttpRequestOptionsKey<T> option, T value)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Options.Set(option, value);
        return request;
    }
}
