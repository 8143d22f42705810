using System.Globalization;
using System.Net;

namespace ServiceMesh.Samples;

/// <summary>Where a Redis server of this process is to listen, by the key that its clients have.</summary>
internal static class RedisAddress
{
    private const int DefaultPort = 6379;

    /// <param name="configuration"><c>ServiceMesh:Redis:Configuration</c>; null for its default.</param>
    /// <exception cref="UsageException">The first server is not one of this machine.</exception>
    public static IPEndPoint Of(string? configuration)
    {
        var server = (configuration ?? "localhost").Split(',')[0].Trim();
        var (host, port) = server.LastIndexOf(':') is >= 0 and var colon && !server.EndsWith(']')
            ? (server[..colon], server[(colon + 1)..])
            : (server, DefaultPort.ToString(CultureInfo.InvariantCulture));
        var address = host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.Loopback
            : IPAddress.TryParse(host, out var parsed) ? parsed
            : null;
        return address is not null && ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new(address, number)
            : throw new UsageException(
                "A Redis server of this process needs localhost:PORT or IP-ADDRESS:PORT at the beginning of "
                + "ServiceMesh:Redis:Configuration.");
    }
}
