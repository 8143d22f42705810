namespace ServiceMesh.Http;

/// <summary>
/// What one request of an HttpClient asks of the mesh, kept in <see cref="HttpRequestMessage.Options"/>. Each returns the
/// request. On a client without the mesh they change nothing.
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
    /// How it is sent again when an attempt fails: attempts, on which statuses, the time of each, hedging. What is null there,
    /// and the whole when this is not called, is as the configuration says.
    /// </summary>
    public static HttpRequestMessage SetRetry(this HttpRequestMessage request, RetryOptions retry)
    {
        ArgumentNullException.ThrowIfNull(retry);
        return Set(request, s_retry, retry);
    }

    /// <summary>
    /// Whether it may run twice without harm, so that it is sent again when nobody knows what became of it. Default: GET, HEAD,
    /// OPTIONS, TRACE, PUT and DELETE may, and so may any request with an <c>Idempotency-Key</c>.
    /// </summary>
    public static HttpRequestMessage SetIdempotent(this HttpRequestMessage request, bool isIdempotent = true) => Set(request, s_idempotent, isIdempotent);

    /// <summary>
    /// Whether its content can be serialized more than once: a stream that can seek, content of your own that reads a file
    /// anew. Default: bytes, texts, forms, JSON and multiparts of those can; anything else only until its serialization has begun,
    /// and so can a lazy sequence as JSON: <see cref="IAsyncEnumerable{T}"/>, or <see cref="IEnumerable{T}"/> that is no collection.
    /// Say false for an object that has one inside.
    /// </summary>
    public static HttpRequestMessage SetRepeatableBody(this HttpRequestMessage request, bool isRepeatable = true) => Set(request, s_repeatableBody, isRepeatable);

    /// <summary>How long it may take in all, until the headers of its answer; more than zero, and at most a day. Default: <c>ServiceMesh:Http:Timeouts:Total</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Zero or less, or more than a day.</exception>
    public static HttpRequestMessage SetTotalTimeout(this HttpRequestMessage request, TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(timeout, TimeSpan.FromDays(1));
        return Set(request, s_timeout, timeout);
    }

    /// <summary>What the balancer <c>ConsistentHash</c> hashes. Default: the request's header that <c>Services:NAME:HashHeader</c> names.</summary>
    public static HttpRequestMessage SetBalancingKey(this HttpRequestMessage request, string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return Set(request, s_key, key);
    }

    /// <summary>
    /// How many bytes of its answer are read within the attempt, so that an answer that breaks off is asked for again; a
    /// longer one is a stream from there on. 0: none, each byte is handed over as it comes. Default:
    /// <c>ServiceMesh:Http:HttpClients:ReadAhead</c>.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than zero.</exception>
    public static HttpRequestMessage SetReadAhead(this HttpRequestMessage request, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return Set(request, s_readAhead, bytes);
    }

    internal static RetryOptions? RetryOf(HttpRequestMessage request) => request.Options.TryGetValue(s_retry, out var retry) ? retry : null;

    internal static bool? IsIdempotent(HttpRequestMessage request) => request.Options.TryGetValue(s_idempotent, out var isIdempotent) ? isIdempotent : null;

    internal static bool? HasRepeatableBody(HttpRequestMessage request) => request.Options.TryGetValue(s_repeatableBody, out var isRepeatable) ? isRepeatable : null;

    internal static TimeSpan? TotalTimeoutOf(HttpRequestMessage request) => request.Options.TryGetValue(s_timeout, out var timeout) ? timeout : null;

    internal static string? BalancingKeyOf(HttpRequestMessage request) => request.Options.TryGetValue(s_key, out var key) ? key : null;

    internal static int? ReadAheadOf(HttpRequestMessage request) => request.Options.TryGetValue(s_readAhead, out var bytes) ? bytes : null;

    private static HttpRequestMessage Set<T>(HttpRequestMessage request, HttpRequestOptionsKey<T> option, T value)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Options.Set(option, value);
        return request;
    }
}
