using System.Diagnostics;
using System.Net;
using System.Text;

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
    /// <exception cref="HttpRequestException">A header of it cannot be sent to anybody.</exception>
    public static AttemptRequest Make(HttpRequestMessage request, HttpContent? content, Endpoint endpoint, bool isTls, bool isHttp2)
    {
        var authority = endpoint.ToString();
        var uri = new Uri($"{(isTls ? "https" : "http")}://{authority}{request.RequestUri!.PathAndQuery}");
        var attempt = new AttemptRequest(request.Method, uri, endpoint, isTls, isHttp2) { Content = content };
        if (ChoosesVersion(request))
        {
            (attempt.Version, attempt.VersionPolicy) = (request.Version, request.VersionPolicy);
        }

        attempt.Headers.Host = request.Headers.Host ?? attempt.Headers.Host;
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
        Check(attempt);
        return attempt;
    }

    /// <summary>Whether the caller asked for a version, and so said something else than what a message says by itself.</summary>
    public static bool ChoosesVersion(HttpRequestMessage request) =>
        request.Version != HttpVersion.Version11 || request.VersionPolicy != HttpVersionPolicy.RequestVersionOrLower;

    private static void Trace(HttpRequestMessage attempt) => DistributedContextPropagator.Current.Inject(Activity.Current, attempt.Headers, static (carrier, name, value) =>
    {
        var headers = (System.Net.Http.Headers.HttpRequestHeaders)carrier!;
        if (!headers.NonValidated.Contains(name))
        {
            headers.TryAddWithoutValidation(name, value);
        }
    });

    // What the platform would refuse, but only with a connection in its hand or instead of one: then it looks as if the server had failed.
    private static void Check(HttpRequestMessage attempt)
    {
        if (attempt is { Content: null, Headers.TransferEncodingChunked: true })
        {
            throw new HttpRequestException("The header 'Transfer-Encoding' of the request says 'chunked', and there is no content: give it one, or leave the header out.");
        }

        Check(attempt.Headers.NonValidated);
        if (attempt.Content is { } content)
        {
            Check(content.Headers.NonValidated);
        }
    }

    private static void Check(System.Net.Http.Headers.HttpHeadersNonValidated headers)
    {
        foreach (var (name, values) in headers)
        {
            foreach (var value in values)
            {
                if (!Ascii.IsValid(value))
                {
                    throw new HttpRequestException($"The header '{name}' of the request has a character that is not ASCII, and headers carry no others: encode it, with Uri.EscapeDataString for instance.");
                }
            }
        }
    }
}
