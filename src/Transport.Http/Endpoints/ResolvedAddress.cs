using System.Net;

namespace ServiceMesh.Http;

/// <summary>One server that a resolver found. Immutable; compared by value.</summary>
/// <param name="Host">An IP address, or a name that the connection resolves by itself.</param>
/// <param name="Port">1 to 65535.</param>
public sealed record ResolvedAddress(string Host, int Port)
{
    /// <summary>
    /// The share of the traffic relative to the other addresses: 0 to 65535. Default: 1. With 0 the server receives no requests, and still
    /// receives signals: it is drained.
    /// </summary>
    public int Weight { get; init; } = 1;

    /// <summary>
    /// The priority: addresses with a higher number are used only if all with a lower number are out. 0 to 65535. Default: 0.
    /// </summary>
    public int Priority { get; init; }

    /// <summary>
    /// The name of the server for the <c>Host</c> header, which its certificate must contain too. Null, the default: <see cref="Host"/>.
    /// </summary>
    public string? Name { get; init; }

    /// <summary>Whether the server is called over TLS. Null, the default: as the service is configured.</summary>
    public bool? Tls { get; init; }

    /// <summary>
    /// The path below which the server serves everything, as a proxy or <c>MapGroup("/api")</c> has it: <c>/api</c>. At most 255
    /// characters. Empty, the default: none.
    /// </summary>
    public string Path { get; init; } = "";

    /// <summary>Why the address is not valid; null if it is.</summary>
    internal string? Problem =>
        !IsHost(Host) ? $"'{Host}' is neither an IP address nor a host name"
        : Port is < 1 or > 65535 ? $"the port of '{Host}' is {Port}; a port is 1 to 65535"
        : Weight is < 0 or > 65535 ? $"the weight of '{Host}:{Port}' is {Weight}; a weight is 0 to 65535"
        : Priority is < 0 or > 65535 ? $"the priority of '{Host}:{Port}' is {Priority}; a priority is 0 to 65535"
        : Name is not null && !IsHost(Name) ? $"the name of '{Host}:{Port}' is '{Name}', which is not a host name"
        : !IsPath(Path) ? $"the path of '{Host}:{Port}' is not '/' with segments behind it, such as /api"
        : null;

    /// <summary>
    /// Whether a text is a valid host or host name, so that it can be part of a URI and of a header. <see cref="Uri.CheckHostName"/> is not
    /// enough: it accepts any text after the <c>%</c> of an IPv6 zone, and refuses names that begin with <c>_</c>.
    /// </summary>
    internal static bool IsHost(string? text) => text switch
    {
        null or { Length: 0 or > 255 } => false,
        _ when text.Contains(':', StringComparison.Ordinal) =>
            text.All(c => char.IsAsciiLetterOrDigit(c) || c is ':' or '.' or '%') && IPAddress.TryParse(text, out _),
        _ => text.All(c => char.IsLetterOrDigit(c) || c is '-' or '_' or '.')
            && Uri.TryCreate($"http://{text}:80/", UriKind.Absolute, out _),
    };

    /// <summary>Whether a text is a valid path prefix: empty, or segments that each begin with '/'.</summary>
    internal static bool IsPath(string? text) => text is ""
        || (text is { Length: > 1 and <= 255 } && text[0] == '/' && text[^1] != '/' && !text.Contains("//", StringComparison.Ordinal)
            && !text.Split('/').Any(segment => segment is "." or "..")
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.' or '~' or '%'));

    /// <summary>The name of a host; null for an IP address, which has none.</summary>
    internal static string? NameOf(string host) => IPAddress.TryParse(host, out _) ? null : host.TrimEnd('.');
}
