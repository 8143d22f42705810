namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:HttpClients</c>: what holds for ordinary HttpClients only (<c>AddHttpClient("weather").AddServiceMesh()</c>).</summary>
public sealed class HttpClientOptions
{
    /// <summary>
    /// How many bytes of the answer to a request that may be repeated are read within its attempt, so that an answer that
    /// breaks off or stalls is asked for again; a longer one is handed over as a stream. 0 to 1,073,741,824; 0 hands
    /// every answer over as it comes. Default: 1 MiB.
    /// </summary>
    public int ReadAhead { get; set; } = 1024 * 1024;
}
