using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// Where a node's own server listens: <c>http://127.0.0.1:5080</c>. <c>https</c> is HTTP/1.1 and HTTP/2, <c>http</c> is HTTP/1.1, and
/// <c>h2c</c> is HTTP/2 without TLS, which needs its own port because nothing negotiates the version.
/// </summary>
internal sealed record ListenAddress(string Scheme, string Host, int Port)
{
    public bool IsTls => Scheme == "https";

    public bool IsLoopback => Host == "localhost" || (Address is { } address && IPAddress.IsLoopback(address));

    /// <summary>Null for <c>localhost</c>, which means both loopback addresses.</summary>
    public IPAddress? Address => Host switch
    {
        "*" or "+" => IPAddress.IPv6Any,
        _ when IPAddress.TryParse(Host, out var address) => address,
        _ => null,
    };

    /// <summary>Reads addresses joined by <c>;</c>.</summary>
    /// <exception cref="FormatException">An address is not valid; the message says what is allowed.</exception>
    public static IReadOnlyList<ListenAddress> ParseAll(string text)
    {
        var parts = text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 0 ? throw Malformed(text) : [.. parts.Select(Parse)];
    }

    public override string ToString() => $"{Scheme}://{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}";

    private static ListenAddress Parse(string text)
    {
        var separator = text.IndexOf("://", StringComparison.Ordinal);
        var scheme = separator < 0 ? "" : text[..separator].ToLowerInvariant();
        var rest = separator < 0 ? "" : text[(separator + 3)..].TrimEnd('/');
        var colon = rest.LastIndexOf(':');
        if (scheme is not ("http" or "https" or "h2c") || colon <= 0 || !ushort.TryParse(rest.AsSpan(colon + 1), out var port))
        {
            throw Malformed(text);
        }

        var address = new ListenAddress(scheme, rest[..colon].Trim('[', ']').ToLowerInvariant(), port);
        return address.Address is not null || address.Host == "localhost" ? address : throw Malformed(text);
    }

    private static FormatException Malformed(string text) => new(
        $"'{text}' is not an address to listen on. Write http://, https:// or h2c://, then localhost, an IP address or '*', " +
        "and ':' with a port; separate several addresses by ';'.");
}
