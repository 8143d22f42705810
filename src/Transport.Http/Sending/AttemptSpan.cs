using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace ServiceMesh.Http;

/// <summary>
/// The span of one attempt, after the OpenTelemetry conventions for HTTP clients. Costs nothing while nobody listens. Disposing it ends the span.
/// </summary>
internal readonly struct AttemptSpan : IDisposable
{
    // A source beside the bus's own: the bus tells what became of a request, this one of every attempt.
    private static readonly ActivitySource s_source = new("ServiceMesh.Http");

    // The platform's own switch, for its spans and for these.
    private static readonly bool s_tellsQueries = AppContext.TryGetSwitch("System.Net.Http.DisableUriRedaction", out var isOff) && isOff;

    private readonly Activity? _span;

    private AttemptSpan(Activity? span) => _span = span;

    /// <param name="method">HTTP's.</param>
    /// <param name="uri">What is asked for; of it only path and query count.</param>
    /// <param name="isTls">Whether it goes over TLS.</param>
    /// <param name="endpoint">Where to.</param>
    /// <param name="service">The service.</param>
    /// <param name="resends">How often it was sent before.</param>
    public static AttemptSpan Start(string method, Uri uri, bool isTls, Endpoint endpoint, string service, int resends)
    {
        if (!s_source.HasListeners() || s_source.StartActivity(method, ActivityKind.Client) is not { } span)
        {
            return default;
        }

        span.SetTag("http.request.method", method);
        var (address, scheme) = (endpoint.Address, isTls ? "https" : "http");
        span.SetTag("url.scheme", scheme);
        span.SetTag("url.full", FullUrl(scheme, address.Name ?? address.Host, address.Port, uri.PathAndQuery));
        span.SetTag("server.address", address.Name ?? address.Host);
        span.SetTag("server.port", address.Port);
        if (IPAddress.TryParse(address.Host, out _))
        {
            // Where it is a name instead, only the connection learns the address.
            span.SetTag("network.peer.address", address.Host);
            span.SetTag("network.peer.port", address.Port);
        }

        span.SetTag("servicemesh.service", service);
        if (resends > 0)
        {
            span.SetTag("http.request.resend_count", resends);
        }

        return new(span);
    }

    /// <summary>Makes this span the parent of what the server does, in place of the one that the headers name.</summary>
    public void Inject(HttpRequestHeaders headers)
    {
        if (_span is { Id: { } id })
        {
            headers.Remove("traceparent");
            headers.TryAddWithoutValidation("traceparent", id);
        }
    }

    /// <summary>An answer came.</summary>
    public void End(int status)
    {
        if (_span is not null)
        {
            _span.SetTag("http.response.status_code", status);
            if (status >= 400)
            {
                Fail(status.ToString(CultureInfo.InvariantCulture));
            }
        }
    }

    /// <summary>No answer came.</summary>
    /// <param name="failure">Why.</param>
    /// <param name="cancelled">Whether nobody waits for an answer any more: the caller cancelled, another attempt has one, or the time of the attempt or of the request is over.</param>
    public void Fail(Exception failure, bool cancelled) =>
        Fail(cancelled ? "cancelled" : PhaseTimeoutException.In(failure) is not null ? "timeout" : failure.GetType().FullName!);

    public void Dispose() => _span?.Dispose();

    // As .NET's own client tells it: without the user, and of the query only that there is one, since secrets stand there.
    private static string FullUrl(string scheme, string host, int port, string pathAndQuery)
    {
        var query = s_tellsQueries ? -1 : pathAndQuery.IndexOf('?', StringComparison.Ordinal);
        var path = query >= 0 && query < pathAndQuery.Length - 1 ? $"{pathAndQuery[..query]}?*" : pathAndQuery;
        var authority = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        return (scheme, port) is ("http", 80) or ("https", 443)
            ? $"{scheme}://{authority}{path}"
            : string.Create(CultureInfo.InvariantCulture, $"{scheme}://{authority}:{port}{path}");
    }

    private void Fail(string type)
    {
        _span?.SetTag("error.type", type);
        _span?.SetStatus(ActivityStatusCode.Error);
    }
}
