namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:HttpClients</c>: for ordinary HttpClients only (<c>AddHttpClient("weather").AddServiceMesh()</c>).
/// </summary>
public sealed class HttpClientOptions
{
    /// <summary>
    /// How many bytes of the answer to a request that may be repeated are read within its attempt, so that the request is sent
    /// again when the answer breaks off. A longer answer is a stream from there on; with 0 every answer is a stream.
    /// 0 to 1,073,741,824. Default: 1,048,576.
    /// </summary>
    [OptionRange(0, 1 << 30)]
    public int ReadAhead { get; set; } = 1024 * 1024;
}
