using System.Net;

namespace ServiceMesh.Http;

/// <summary><c>ServiceMesh:Http:Dns</c>: how names are looked up.</summary>
public sealed class HttpDnsOptions
{
    /// <summary>
    /// The DNS servers to ask, several joined by commas: <c>10.0.0.53,10.0.0.54:5353</c>. Default: those of the system, or of the
    /// <c>DnsClient.ILookupClient</c> that the application registered.
    /// </summary>
    public string? Servers { get; set; }

    /// <exception cref="FormatException">One is not an IP address; the message says which.</exception>
    internal IReadOnlyList<IPEndPoint> ReadServers() =>
        [.. (Servers ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Read)];

    private static IPEndPoint Read(string text) => IPEndPoint.TryParse(text, out var server)
        ? new(server.Address, server.Port == 0 ? 53 : server.Port)
        : throw new FormatException($"'{text}' is not an IP address, with or without a port.");
}
