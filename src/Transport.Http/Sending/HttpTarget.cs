using System.Collections.Concurrent;
using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>An endpoint as a request is sent to it. Immutable; made once for each endpoint, because every attempt needs it.</summary>
/// <param name="Endpoint">The endpoint.</param>
/// <param name="IsTls">Whether it is called over TLS.</param>
/// <param name="IsHttp2">Whether it is called over HTTP/2 without TLS, where nothing negotiates the version.</param>
/// <param name="IsForeign">Whether the server is not a node of the mesh.</param>
/// <param name="Name">The name for messages, with its scheme.</param>
internal sealed record HttpTarget(Endpoint Endpoint, bool IsTls, bool IsHttp2, bool IsForeign, string Name)
{
    // Paths come from the application, and may be another one for each request. So only the first ones are kept.
    private const int MaxRemembered = 256;

    // Path and query are sent as the caller wrote them.
    private static readonly UriCreationOptions s_asWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly ConcurrentDictionary<string, Uri> _uris = new(StringComparer.Ordinal);
    private int _remembered;

    /// <summary>The beginning of its URIs: scheme, host, port, and the path of the address.</summary>
    public string Origin { get; } = $"{(IsTls ? "https" : "http")}://{Endpoint}{Endpoint.Address.Path}";

    /// <summary>
    /// The <c>Host</c> header, if it is not what the platform writes from the URI: the name of the server, which its certificate must
    /// contain too. Null if the address has no name.
    /// </summary>
    public string? Host { get; } = Endpoint.Address.Name is { } name ? Join(name, Endpoint.Address.Port, IsTls) : null;

    /// <summary>The timeouts of its service, which bound connection and handshake.</summary>
    public HttpServiceTimeoutOptions? Timeouts { get; init; }

    /// <summary>The URI of a path with its query, which is sent as it is written.</summary>
    public Uri UriOf(string pathAndQuery)
    {
        if (_uris.TryGetValue(pathAndQuery, out var known))
        {
            return known;
        }

        var uri = new Uri(Origin + pathAndQuery, s_asWritten);
        if (Volatile.Read(ref _remembered) < MaxRemembered && _uris.TryAdd(pathAndQuery, uri))
        {
            Interlocked.Increment(ref _remembered);
        }

        return uri;
    }

    /// <summary>
    /// Host and port without the default port of the scheme, as every other client sends it (RFC 9110, 4.2.3): some servers compare the
    /// whole text.
    /// </summary>
    public static string Join(string host, int port, bool isTls)
    {
        var name = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        return port == (isTls ? 443 : 80) ? name : string.Create(CultureInfo.InvariantCulture, $"{name}:{port}");
    }

    public override string ToString() => Name;
}
