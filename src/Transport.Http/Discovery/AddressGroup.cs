using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// The address of a service in the configuration: <c>dns://weather.internal:5080</c>. It says where the addresses come from; an
/// <see cref="IResolver"/> finds them. Immutable; two are equal if their texts are equal.
/// </summary>
public sealed record AddressGroup
{
    /// <summary>The built-in schemes, in the order in which messages list them.</summary>
    public static IReadOnlyList<string> BuiltInSchemes { get; } = ["static", "http", "https", "dns", "dns+srv", "dns+txt", "file"];

    private AddressGroup(string text, string scheme, string target, string host, int port, string path)
    {
        Path = path;
        Text = text;
        Scheme = scheme;
        Target = target;
        Host = host;
        Port = port;
    }

    /// <summary>The address as it was written.</summary>
    public string Text { get; }

    /// <summary>The scheme in lower case: one of <see cref="BuiltInSchemes"/>, or one that the application added.</summary>
    public string Scheme { get; }

    /// <summary>The text after the scheme and its slashes: a host and port, a list, or a path.</summary>
    public string Target { get; }

    /// <summary>The host, without the brackets of an IPv6 address; empty if the target is not a host.</summary>
    public string Host { get; }

    /// <summary>The port, 1 to 65535; 0 if the address has none.</summary>
    public int Port { get; }

    /// <summary>
    /// The path below which the one server of <c>http:</c> and <c>https:</c> serves everything: <c>/api</c>; empty for none.
    /// </summary>
    public string Path { get; }

    /// <summary>Reads an address with a built-in scheme.</summary>
    /// <exception cref="FormatException">The text is not valid; the message says what is allowed.</exception>
    public static AddressGroup Parse(string text) => Parse(text, BuiltInSchemes);

    /// <summary>Reads an address with one of these schemes.</summary>
    /// <exception cref="FormatException">The text is not valid; the message says what is allowed.</exception>
    public static AddressGroup Parse(string text, IReadOnlyCollection<string> schemes) =>
        TryParse(text, schemes, out var group, out var error) ? group : throw new FormatException(error);

    /// <summary>Reads an address with one of these schemes.</summary>
    /// <param name="text">The address.</param>
    /// <param name="schemes">The schemes that are allowed, in lower case.</param>
    /// <param name="group">The address, if the text is valid.</param>
    /// <param name="error">A sentence that says what is wrong and what is allowed, if the text is not valid.</param>
    public static bool TryParse(
        string text,
        IReadOnlyCollection<string> schemes,
        [NotNullWhen(true)] out AddressGroup? group,
        [NotNullWhen(false)] out string? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(schemes);
        group = null;
        var trimmed = text.Trim();
        var colon = trimmed.IndexOf(':', StringComparison.Ordinal);
        var scheme = colon < 0 ? "" : trimmed[..colon].ToLowerInvariant();
        if (!schemes.Contains(scheme))
        {
            error = $"The address '{text}' {(scheme.Length == 0 ? "has no scheme" : $"has the unknown scheme '{scheme}'")}. " +
                $"Allowed are {string.Join(", ", schemes)}; one server is written http://host:port.";
            return false;
        }

        var target = trimmed[(colon + 1)..];
        target = target.StartsWith("//", StringComparison.Ordinal) ? target[2..] : target;
        if (scheme == "dns" && IsTextForm(target))
        {
            (scheme, target) = ("dns+txt", target["txt:".Length..]);
        }

        var slash = scheme is "http" or "https" ? target.IndexOf('/', StringComparison.Ordinal) : -1;
        var path = slash < 0 ? "" : target[slash..].TrimEnd('/');
        (error, var host, var port) = scheme switch
        {
            _ when target.Length == 0 => ($"nothing follows '{scheme}:'", "", 0),
            "static" or "file" => (null, "", 0),
            "http" or "https" => ReadServer(target, path, defaultPort: scheme == "http" ? 80 : 443),
            "dns" => ReadHost(target, defaultPort: null),
            "dns+txt" => ReadHost(target, defaultPort: 0),
            "dns+srv" => ReadService(target),
            _ => ReadHost(target.Split('/')[0], defaultPort: 0) is (null, _, _) other ? other : (null, "", 0),
        };
        if (error is not null)
        {
            error = $"The address '{text}' cannot be used: {error}.";
            return false;
        }

        group = new(trimmed, scheme, target, host, port, path);
        return true;
    }

    /// <summary>The address as it was written.</summary>
    public override string ToString() => Text;

    /// <inheritdoc/>
    public bool Equals(AddressGroup? other) => other is not null && Text == other.Text;

    /// <inheritdoc/>
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    // dns://txt:weather.internal:5080, but dns://txt:5080 is the host "txt".
    private static bool IsTextForm(string target) =>
        target.StartsWith("txt:", StringComparison.OrdinalIgnoreCase) && !ushort.TryParse(target.AsSpan(4), NumberStyles.None, null, out _);

    private static (string? Error, string Host, int Port) ReadServer(string target, string path, int defaultPort) =>
        ResolvedAddress.IsPath(path)
            ? ReadHost(target.Split('/')[0], defaultPort)
            : ($"'{path}' is not a path: segments of letters, digits, '-', '_', '.', '~' and '%' behind '/' are allowed", "", 0);

    private static (string? Error, string Host, int Port) ReadService(string target) =>
        ReadHost(target, defaultPort: 0) is var read && read.Port != 0
            ? ("the ports of dns+srv come from the SRV records, so the address must not have one", "", 0)
            : read;

    /// <summary>Reads <c>host:port</c> or <c>[ipv6]:port</c>; a null default means that a port must be written.</summary>
    internal static (string? Error, string Host, int Port) ReadHost(string target, int? defaultPort)
    {
        var colon = target.LastIndexOf(':');
        var hasPort = colon >= 0 && colon > target.LastIndexOf(']');
        var host = hasPort ? target[..colon] : target;
        host = host.StartsWith('[') && host.EndsWith(']') ? host[1..^1] : host.Contains(':', StringComparison.Ordinal) ? "" : host;
        if (!ResolvedAddress.IsHost(host))
        {
            var allowed = "a host is an IP address or a name of letters, digits, '-', '_' and '.' (write an IPv6 address in brackets)";
            return ($"'{target}' is not host:port: {allowed}", "", 0);
        }

        if (!hasPort)
        {
            return defaultPort is { } port ? (null, host, port) : ($"'{target}' has no port (write {target}:5080)", "", 0);
        }

        var isNumber = int.TryParse(target.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var written);
        return isNumber && written is > 0 and < 65536
            ? (null, host, written)
            : ($"'{target[(colon + 1)..]}' is not a port between 1 and 65535", "", 0);
    }
}
