namespace ServiceMesh.Http;

/// <summary>URIs of services, with the schemes and the named endpoints of .NET's service discovery. Pure.</summary>
internal static class ServiceUri
{
    /// <summary>
    /// Whether a service may be called by this scheme. <c>https+http</c> and <c>http+https</c> leave the choice to the addresses, and so
    /// does <c>http</c>; <c>ws</c> and <c>wss</c> are those of web sockets.
    /// </summary>
    public static bool IsOfService(Uri uri) => uri.Scheme is "http" or "https" or "https+http" or "http+https" or "ws" or "wss";

    /// <summary>Whether the scheme demands TLS, whatever the addresses say.</summary>
    public static bool DemandsTls(Uri uri) => uri.Scheme is "https" or "wss";

    /// <summary>The service of a host <c>_NAME.SERVICE</c>; null for other hosts.</summary>
    public static string? ServiceOf(string host) =>
        host.StartsWith('_') && host.IndexOf('.', StringComparison.Ordinal) is > 1 and var dot && dot < host.Length - 1
            ? host[(dot + 1)..]
            : null;

    /// <summary>The name of the endpoint in a host <c>_NAME.SERVICE</c>.</summary>
    public static string NameOf(string host) => host[1..host.IndexOf('.', StringComparison.Ordinal)];
}
