using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace ServiceMesh.Http;

/// <summary>One attempt of a request: the same request, addressed to an endpoint. Pure but for the trace, which is the current one.</summary>
internal static class AttemptMessage
{
    /// <summary>Makes the message. Whoever sends it does not dispose it, because the content is the caller's.</summary>
    /// <param name="request">The caller's; it stays as it is.</param>
    /// <param name="content">Its body for this attempt.</param>
    /// <param name="endpoint">Where to.</param>
    /// <param name="isTls">Whether over TLS.</param>
    /// <param name="isHttp2">Whether over HTTP/2 where nothing negotiates, unless the caller asked for a version.</param>
    public static HttpRequestMessage Make(HttpRequestMessage request, HttpContent? content, Endpoint endpoint, bool isTls, bool isHttp2)
    {
        var attempt = new HttpRequestMessage(request.Method, $"{(isTls ? "https" : "http")}://{endpoint}{request.RequestUri!.PathAndQuery}")
        {
            Content = content,
            Version = request.Version,
            VersionPolicy = request.VersionPolicy,
        };
        if (request.Version == HttpVersion.Version11 && request.VersionPolicy == HttpVersionPolicy.RequestVersionOrLower && (isTls || isHttp2))
        {
            // The caller said nothing: with TLS it is the best that both have; without, what the service is configured to speak.
            attempt.Version = HttpVersion.Version20;
            attempt.VersionPolicy = isTls ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact;
        }

        foreach (var (name, values) in request.Headers.NonValidated)
        {
            attempt.Headers.TryAddWithoutValidation(name, values);
        }

        foreach (var (name, value) in (IEnumerable<KeyValuePair<string, object?>>)request.Options)
        {
            ((IDictionary<string, object?>)attempt.Options)[name] = value;
        }

        attempt.Headers.Host ??= NameOf(endpoint.Address);
        Trace(attempt);
        return attempt;
    }

    // What a server is called by goes into Host, and is what its certificate must show.
    private static string? NameOf(ResolvedAddress address) => address.Name switch
    {
        null => null,
        var name when name.Contains(':', StringComparison.Ordinal) => string.Create(CultureInfo.InvariantCulture, $"[{name}]:{address.Port}"),
        var name => string.Create(CultureInfo.InvariantCulture, $"{name}:{address.Port}"),
    };

    private static void Trace(HttpRequestMessage attempt) => DistributedContextPropagator.Current.Inject(Activity.Current, attempt.Headers, static (carrier, name, value) =>
    {
        var headers = (System.Net.Http.Headers.HttpRequestHeaders)carrier!;
        if (!headers.NonValidated.Contains(name))
        {
            headers.TryAddWithoutValidation(name, value);
        }
    });
}
