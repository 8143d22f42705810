using System.Net;

namespace ServiceMesh.Http;

/// <summary>The names by which callers may address a node that does not authenticate them. Pure but for the name of the machine.</summary>
/// <param name="configured">Names joined by <c>;</c>; <c>*.</c> at the beginning stands for all names below; null for none.</param>
internal sealed class HostNames(string? configured)
{
    private const int MaxShown = 64;

    private readonly string[] _names =
    [
        "localhost", "*.localhost", Environment.MachineName,
        .. (configured ?? "").Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
    ];

    /// <summary>
    /// Whether a caller may use this name. An IP address is not looked up, so that it cannot lead a browser elsewhere; a request without
    /// the header is not of a browser.
    /// </summary>
    public bool Allows(string host) =>
        host.Length == 0 || IPAddress.TryParse(host.Trim('[', ']'), out _)
        || Array.Exists(_names, name => Matches(name, host.TrimEnd('.')));

    /// <summary>A name as it may be shown.</summary>
    public static string Cut(string host) => host.Length <= MaxShown ? host : host[..MaxShown] + "…";

    private static bool Matches(string name, string host) =>
        name.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(name[1..], StringComparison.OrdinalIgnoreCase) && host.Length >= name.Length
            : name.Equals(host, StringComparison.OrdinalIgnoreCase);
}
