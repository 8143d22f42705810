namespace ServiceMesh.Http;

/// <summary>
/// <c>ServiceMesh:Http:Server</c>: what callers may take of this node. The limits of bytes and of speed hold in the server of the
/// transport and in the application's own alike.
/// </summary>
public sealed class HttpServerOptions
{
    /// <summary>
    /// The bytes of bodies and answers that the node holds at once, each from its first byte until its answer has been written. A body
    /// beyond that is refused with 429; a single one is always admitted. 65,536 to 2,147,483,647. Default: 134,217,728.
    /// </summary>
    [OptionRange(65_536, int.MaxValue)]
    public int MaxBytesInFlight { get; set; } = 128 * 1024 * 1024;

    /// <summary>The same for one connection. 65,536 to 2,147,483,647. Default: 33,554,432.</summary>
    [OptionRange(65_536, int.MaxValue)]
    public int MaxBytesPerConnection { get; set; } = 32 * 1024 * 1024;

    /// <summary>
    /// Connections to the server of the transport; one more is closed at once. The application's own server has its own limit. 1 to
    /// 1,000,000. Default: 4,096.
    /// </summary>
    [OptionRange(1, 1_000_000)]
    public int MaxConnections { get; set; } = 4_096;

    /// <summary>
    /// The least number of bytes a second, on average after the first five seconds, at which a body must arrive and an answer must be
    /// read. A slower body is refused with 408, and the connection of a slower reader is closed. 1 to 1,000,000,000. Default: 4,096.
    /// </summary>
    [OptionRange(1, 1_000_000_000)]
    public int MinBytesPerSecond { get; set; } = 4_096;

    /// <summary>
    /// Names by which callers may address a node that does not authenticate them, joined by <c>;</c>: they are compared with the
    /// <c>Host</c> header without its port, and <c>*.example.com</c> stands for all names below it. Loopback, IP addresses and the name of
    /// the machine are always allowed. Default: none.
    /// </summary>
    public string? Hosts { get; set; }
}
