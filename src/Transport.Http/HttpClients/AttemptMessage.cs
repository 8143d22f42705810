using System.Diagnostics;
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
    public static AttemptRequest Make(HttpRequestMessage request, HttpContent? content, Endpoint endpoint, bool isTls, bool isHttp2)
    {
        var authority = endpoint.ToString();
        var uri = new Uri($"{(isTls ? "https" : "http")}://{authority}{request.RequestUri!.PathAndQuery}");
        var attempt = new AttemptRequest(request.Method, uri, endpoint, isTls, isHttp2) { Content = content };
        var name = attempt.Headers.Host ?? authority;
        if (request.Version != HttpVersion.Version11 || request.VersionPolicy != HttpVersionPolicy.RequestVersionOrLower)
        {
            // The caller said something else than what a message says by itself.
            (attempt.Version, attempt.VersionPolicy) = (request.Version, request.VersionPolicy);
        }

        attempt.Headers.Host = request.Headers.Host ?? name;
        foreach (var (header, values) in request.Headers.NonValidated)
        {
            if (!header.Equals("Host", StringComparison.OrdinalIgnoreCase))
            {
                attempt.Headers.TryAddWithoutValidation(header, values);
            }
        }

        foreach (var (option, value) in (IEnumerable<KeyValuePair<string, object?>>)request.Options)
        {
            ((IDictionary<string, object?>)attempt.Options)[option] = value;
        }

        Trace(attempt);
        return attempt;
    }

    private static void Trace(HttpRequestMessage attempt) => DistributedContextPropagator.Current.Inject(Activity.Current, attempt.Headers, static (carrier, name, value) =>
    {
        var headers = (System.Net.Http.Headers.HttpRequestHeaders)carrier!;
        if (!headers.NonValidated.Contains(name))
        {
            headers.TryAddWithoutValidation(name, value);
        }
    });
}
