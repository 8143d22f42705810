namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:Limits</c>: how many requests may be under way at once. One more is refused at once and is not processed: a
/// request of the bus with 429, a request of an HttpClient with an exception.
/// </summary>
public sealed class HttpLimitOptions
{
    /// <summary>
    /// Requests of this client, over all services. Each counts from when it is sent until its caller has the reply or the failure; an
    /// answer that an HttpClient reads as a stream counts until its headers. 1 to 1,000,000. Default: 16,384.
    /// </summary>
    [OptionRange(1, 1_000_000)]
    public int Concurrency { get; set; } = 16_384;

    /// <summary>
    /// Attempts at one endpoint, each until its answer has been read to the end or abandoned; at most
    /// <see cref="Concurrency"/>. An endpoint that has as many is not chosen. 1 to 1,000,000. Default: 4,096, or
    /// <see cref="Concurrency"/> where that is less.
    /// </summary>
    [OptionRange(1, 1_000_000)]
    public int? ConcurrencyPerEndpoint { get; set; }

    internal int MaxPerEndpoint => ConcurrencyPerEndpoint ?? Math.Min(4_096, Concurrency);
}
