using System.Net;

namespace ServiceMesh.Http;

/// <summary>One server that a resolver found. Immutable; compared by value.</summary>
/// <param name="Host">An IP address, or a name that the connection resolves by itself.</param>
/// <param name="Port">1 to 65535.</param>
public sealed record ResolvedAddress(string Host, int Port)
{
    /// <summary>How much of the traffic it should get, relative to the others: 1 to 65535. Default: 1.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>Addresses with a higher number are used only when all with a lower one are out: 0 to 65535. Default: 0.</summary>
    public int Priority { get; init; }

    /// <summary>
    /// The name by which the server is called: the <c>Host</c> header, and what its certificate must show.
    /// Null, the default: <see cref="Host"/>.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>Whether a text can be a host or its name, and so be part of a URI and of a header.</summary>
    internal static bool IsHost(string text) => Uri.CheckHostName(text) != UriHostNameType.Unknown;

    /// <summary>The name that a host is called by; null for an IP address, which has none.</summary>
    internal static string? NameOf(string host) => IPAddress.TryParse(host, out _) ? null : host.TrimEnd('.');

    /// <summary>Whether it speaks TLS. Null, the default: as the service is configured.</summary>
    public bool? Tls { get; init; }
}
