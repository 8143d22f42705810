using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;

namespace ServiceMesh.Http;

/// <summary>
/// Decides which callers are allowed. Loopback is open to all callers except web pages. Elsewhere callers are authenticated, by the shared
/// token or by the application that serves the endpoints, unless the configuration allows unprotected calls.
/// </summary>
/// <param name="token">The shared token; null for none.</param>
/// <param name="allowUnprotected">Whether unprotected calls are allowed.</param>
/// <param name="hosts">The names in <c>Host</c> that callers without authentication may use, beside those of this machine.</param>
/// <param name="keyOf">Returns the full path of a key, for messages.</param>
internal sealed class Protection(string? token, bool allowUnprotected, string? hosts, Func<string, string> keyOf)
{
    private const string Scheme = "Bearer ";

    private readonly HostNames _hosts = new(hosts);
    private readonly byte[]? _hash = token is null ? null : SHA256.HashData(Encoding.UTF8.GetBytes(token));

    /// <summary>Whether every call that is allowed has sent the shared token.</summary>
    public bool HasToken => _hash is not null;

    /// <summary>The refusal of a call; null if the call is allowed.</summary>
    public ReplyMessage? Refuse(HttpContext http)
    {
        if (_hash is not null)
        {
            var said = http.Request.Headers.Authorization.ToString();
            var matches = said.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
                && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(said[Scheme.Length..].Trim())), _hash);
            if (matches)
            {
                return null;
            }

            http.Response.Headers.WWWAuthenticate = "Bearer";
            return ReplyMessage.Failure(
                StatusCode.Unauthorized, $"This node requires the token of its {keyOf("Token")} as 'Authorization: Bearer TOKEN'.",
                notProcessed: true);
        }

        // RequireAuthorization().AllowAnonymous() authenticates no caller.
        var metadata = http.GetEndpoint()?.Metadata;
        var isAuthorized = metadata?.GetMetadata<IAuthorizeData>() is not null && metadata.GetMetadata<IAllowAnonymous>() is null;
        if (allowUnprotected || isAuthorized)
        {
            return null;
        }

        if (http.Request.Headers.Origin.Count > 0)
        {
            // Every page in a browser on this machine can post to loopback; the browser adds the Origin header.
            return ReplyMessage.Failure(
                StatusCode.Forbidden,
                "The request has an Origin header, so a web page sent it, and this node does not authenticate callers. " +
                $"Set {keyOf("Token")}, " +
                $"or call RequireAuthorization() on the result of MapServiceMesh(), or set {keyOf("AllowUnprotected")} to true.",
                notProcessed: true);
        }

        if (!_hosts.Allows(http.Request.Host.Host))
        {
            // The name of a web page may lead to loopback (DNS rebinding): for the browser, the page then is of the origin of this node.
            return ReplyMessage.Failure(
                StatusCode.Forbidden,
                $"The Host header is '{HostNames.Cut(http.Request.Host.Host)}', which is not a name of this machine, and this node does " +
                $"not authenticate callers. Call it by localhost or by an IP address, add the name to {keyOf("Server:Hosts")}, " +
                $"or set {keyOf("Token")}.",
                notProcessed: true);
        }

        var isExposed = http.Connection.LocalIpAddress is { } address && !IPAddress.IsLoopback(address);
        return isExposed
            ? ReplyMessage.Failure(
                StatusCode.Forbidden,
                "This node listens beyond loopback and does not authenticate callers, so it refuses requests from other machines. " +
                $"Set {keyOf("Token")}, " +
                $"or call RequireAuthorization() on the result of MapServiceMesh(), or set {keyOf("AllowUnprotected")} to true.",
                notProcessed: true)
            : null;
    }
}
