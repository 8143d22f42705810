namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:Limits</c>: how much may be under way at once. What is more is refused at once, marked "not processed": with 429, an HttpClient's with an exception.</summary>
public sealed class HttpLimitOptions
{
    /// <summary>
    /// Requests of this client, over all services: each from when it is sent until its caller has the reply or the failure, the
    /// wait for addresses, all attempts and the pauses between them included. An answer that an HttpClient reads as a stream has
    /// been given at its headers: reading it counts at its endpoint only. 1 to 1,000,000. Default: 16,384.
    /// </summary>
    public int Concurrency { get; set; } = 16_384;

    /// <summary>
    /// Attempts at one endpoint, each until its answer has been read to the end, a stream by the caller, or given up; at most
    /// <see cref="Concurrency"/>. An endpoint that has as many is not chosen. Default: 4,096, or
    /// <see cref="Concurrency"/> where that is less.
    /// </summary>
    public int? ConcurrencyPerEndpoint { get; set; }

    internal int MaxPerEndpoint => ConcurrencyPerEndpoint ?? Math.Min(4_096, Concurrency);
}
