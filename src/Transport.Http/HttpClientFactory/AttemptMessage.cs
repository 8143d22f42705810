using System.Diagnostics;
using System.Net;
using System.Text;

namespace ServiceMesh.Http;

/// <summary>Makes one attempt of a request: the same request, addressed to an endpoint, with the current trace.</summary>
internal static class AttemptMessage
{
    /// <summary>Creates the message. It is not disposed after sending, because the content belongs to the caller.</summary>
    /// <param name="request">The request of the caller, which is not changed.</param>
    /// <param name="content">The body for this attempt.</param>
    /// <param name="target">The endpoint. Its HTTP version applies unless the caller chose one.</param>
    /// <param name="isSync">Whether it is sent on the thread of the caller, which is possible over HTTP/1.1 only.</param>
    /// <exception cref="HttpRequestException">A header cannot be sent to any server.</exception>
    public static AttemptRequest Make(HttpRequestMessage request, HttpContent? content, HttpTarget target, bool isSync = false)
    {
        var attempt = new AttemptRequest(request.Method, target.UriOf(request.RequestUri!.PathAndQuery), target) { Content = content };
        if (isSync)
        {
            attempt.Version = request.Version.Major == 1 ? request.Version : HttpVersion.Version11;
            attempt.VersionPolicy = request.VersionPolicy == HttpVersionPolicy.RequestVersionExact
                ? HttpVersionPolicy.RequestVersionExact
                : HttpVersionPolicy.RequestVersionOrLower;
        }
        else if (ChoosesVersion(request) || IsWebSocket(request))
        {
            (attempt.Version, attempt.VersionPolicy) = (request.Version, request.VersionPolicy);
        }

        attempt.Headers.Protocol = request.Headers.Protocol;
        if (request.Headers.Host is not null)
        {
            attempt.Headers.Host = null; // the caller's own is sent where it stands among the headers of the caller
        }

        foreach (var (header, values) in request.Headers.NonValidated)
        {
            attempt.Headers.TryAddWithoutValidation(header, values);
        }

        if (((IReadOnlyCollection<KeyValuePair<string, object?>>)request.Options).Count > 0)
        {
            foreach (var (option, value) in (IEnumerable<KeyValuePair<string, object?>>)request.Options)
            {
                ((IDictionary<string, object?>)attempt.Options)[option] = value;
            }
        }

        Trace(attempt);
        attempt.SetHeader(target);
        Check(attempt);
        return attempt;
    }

    /// <summary>Whether the caller chose an HTTP version, so that it differs from the default of a message.</summary>
    public static bool ChoosesVersion(HttpRequestMessage request) =>
        request.Version != HttpVersion.Version11 || request.VersionPolicy != HttpVersionPolicy.RequestVersionOrLower;

    // HTTP/2 has no upgrade of a connection: there the caller asks for version 2, and CONNECT opens the socket.
    private static bool IsWebSocket(HttpRequestMessage request) => request.RequestUri!.Scheme is "ws" or "wss";

    private static void Trace(HttpRequestMessage attempt) =>
        DistributedContextPropagator.Current.Inject(Activity.Current, attempt.Headers, static (carrier, name, value) =>
        {
            var headers = (System.Net.Http.Headers.HttpRequestHeaders)carrier!;
            if (!headers.NonValidated.Contains(name))
            {
                headers.TryAddWithoutValidation(name, value);
            }
        });

    // The platform would refuse these too, but only when it has a connection, so that the server would seem to have failed.
    private static void Check(HttpRequestMessage attempt)
    {
        if (attempt is { Content: null, Headers.TransferEncodingChunked: true })
        {
            throw new HttpRequestException(
                "The header 'Transfer-Encoding' of the request is 'chunked', and the request has no content. " +
                "Add content, or remove the header.");
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
                    throw new HttpRequestException(
                        $"The header '{name}' of the request contains a character that is not ASCII. " +
                        "Encode it, for instance with Uri.EscapeDataString.");
                }
            }
        }
    }
}
