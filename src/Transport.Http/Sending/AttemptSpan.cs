using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace ServiceMesh.Http;

/// <summary>
/// The span of one attempt, by the OpenTelemetry conventions for HTTP clients. It costs nothing while there is no listener. Disposing it
/// ends the span.
/// </summary>
internal readonly struct AttemptSpan : IDisposable
{
    // A second source beside that of the bus: the bus describes requests, this source describes attempts.
    private static readonly ActivitySource s_source = new("ServiceMesh.Http");

    // The switch of the platform, for its spans and for these.
    private static readonly bool s_showsQueries = AppContext.TryGetSwitch("System.Net.Http.DisableUriRedaction", out var isOff) && isOff;

    private readonly Activity? _span;

    private AttemptSpan(Activity? span) => _span = span;

    /// <summary>Whether a span would be made.</summary>
    public static bool IsWanted => s_source.HasListeners();

    /// <summary>The span as a <c>traceparent</c>; null if there is none.</summary>
    public string? Id => _span?.Id;

    /// <param name="method">The HTTP method.</param>
    /// <param name="uri">The URI, of which only path and query are used.</param>
    /// <param name="target">The endpoint.</param>
    /// <param name="service">The service.</param>
    /// <param name="resends">The number of attempts before this one.</param>
    public static AttemptSpan Start(string method, Uri uri, HttpTarget target, string service, int resends)
    {
        if (!s_source.HasListeners() || s_source.StartActivity(method, ActivityKind.Client) is not { } span)
        {
            return default;
        }

        span.SetTag("http.request.method", method);
        var (address, scheme) = (target.Endpoint.Address, target.IsTls ? "https" : "http");
        span.SetTag("url.scheme", scheme);
        span.SetTag("url.full", FullUrl(scheme, address.Name ?? address.Host, address.Port, uri.PathAndQuery));
        span.SetTag("server.address", address.Name ?? address.Host);
        span.SetTag("server.port", address.Port);
        if (IPAddress.TryParse(address.Host, out _))
        {
            // If it is a name instead, only the connection knows the address.
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

    /// <summary>Makes this span the parent of the server's span, in place of the span that the headers name.</summary>
    public void Inject(HttpRequestHeaders headers)
    {
        if (_span is { Id: { } id })
        {
            headers.Remove("traceparent");
            headers.TryAddWithoutValidation("traceparent", id);
        }
    }

    /// <summary>The attempt was answered.</summary>
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

    /// <summary>The attempt ended without an answer.</summary>
    /// <param name="failure">The exception.</param>
    /// <param name="cancelled">
    /// Whether the attempt was cancelled: by the caller, by the answer of another attempt, or by the timeout of the attempt or the request.
    /// </param>
    public void Fail(Exception failure, bool cancelled) =>
        Fail(cancelled ? "cancelled" : PhaseTimeoutException.In(failure) is not null ? "timeout" : failure.GetType().FullName!);

    public void Dispose() => _span?.Dispose();

    // As .NET's own client does it: without the user, and with '*' for the query, because a query may contain secrets.
    private static string FullUrl(string scheme, string host, int port, string pathAndQuery)
    {
        var query = s_showsQueries ? -1 : pathAndQuery.IndexOf('?', StringComparison.Ordinal);
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
