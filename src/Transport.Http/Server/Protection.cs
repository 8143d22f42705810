using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;

namespace ServiceMesh.Http;

/// <summary>
/// Who may call. Loopback is open to all but web pages; everywhere else callers are authenticated, by the shared token or by the application
/// that serves the endpoints, unless the configuration says that openness is meant.
/// </summary>
internal sealed class Protection(string? token, bool allowUnprotected, Func<string, string> keyOf)
{
    private const string Scheme = "Bearer ";

    private readonly byte[]? _hash = token is null ? null : SHA256.HashData(Encoding.UTF8.GetBytes(token));

    /// <summary>The refusal for a caller who may not; null for one who may.</summary>
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
                StatusCode.Unauthorized, $"This node requires the token of its {keyOf("Token")} as 'Authorization: Bearer TOKEN'.", notProcessed: true);
        }

        if (allowUnprotected || http.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is not null)
        {
            return null;
        }

        if (http.Request.Headers.Origin.Count > 0)
        {
            // Any page that somebody on this machine opens can post to loopback; a browser says that it was a page.
            return ReplyMessage.Failure(
                StatusCode.Forbidden,
                $"The request carries an Origin header, so a web page sent it, and this node does not authenticate callers. Set {keyOf("Token")}, " +
                $"or call RequireAuthorization() on what MapServiceMesh() returns, or set {keyOf("AllowUnprotected")} to true where it is meant.",
                notProcessed: true);
        }

        var isExposed = http.Connection.LocalIpAddress is { } address && !IPAddress.IsLoopback(address);
        return isExposed
            ? ReplyMessage.Failure(
                StatusCode.Forbidden,
                $"This node listens beyond loopback and does not authenticate callers, so it refuses requests from other machines. Set {keyOf("Token")}, " +
                $"or call RequireAuthorization() on what MapServiceMesh() returns, or set {keyOf("AllowUnprotected")} to true where it is meant.",
                notProcessed: true)
            : null;
    }
}
