using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// A reply as an HTTP response and back. A failure without a body becomes problem details (RFC 9457). Pure.
/// </summary>
internal static class ReplyWire
{
    // The error of a reply that has a body: long enough for every message of the bus.
    private const int MaxErrorHeader = 1024;

    private const StatusCode BadGateway = (StatusCode)502;

    // HTTP forbids a body with these statuses, and allows three digits only.
    private static int HttpStatusOf(StatusCode status) => (int)status switch
    {
        204 or 205 or 304 => 200,
        < 200 => 500,
        > 599 => 500,
        var other => other,
    };

    /// <summary>Writes a reply.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="topic">The topic, for problem details.</param>
    /// <param name="to">The target of the headers.</param>
    /// <param name="add">Adds one header to the target; without a closure, because this runs for every reply.</param>
    public static (int Status, string ContentType, ReadOnlyMemory<byte> Body) Write<T>(
        ReplyMessage reply, string topic, T to, Action<T, string, string> add)
    {
        add(to, MeshHeader.Status, reply.Status == StatusCode.Ok ? "200" : ((int)reply.Status).ToString(CultureInfo.InvariantCulture));
        if (reply.NotProcessed)
        {
            add(to, MeshHeader.NotProcessed, "1");
        }

        if (reply is { IsOfHandler: true, Status: StatusCode.DeadlinePassed or StatusCode.Unavailable })
        {
            add(to, MeshHeader.OfHandler, "1");
        }

        if (reply.RetryAfter is { } pause)
        {
            add(to, "Retry-After", Math.Ceiling(pause.TotalSeconds).ToString("0", CultureInfo.InvariantCulture));
        }

        MessageWire.Write(reply.Headers, to, add);
        var status = HttpStatusOf(reply.Status);
        if (reply.Status.IsFailure && reply.Body.IsEmpty && reply.ContentType.Length == 0)
        {
            var problem = ProblemDetails.Write(status, reply.Error ?? "No details were given.", topic, reply.NotProcessed);
            return (status, ProblemDetails.ContentType, problem);
        }

        if (reply.Error is { } error)
        {
            var sentence = error.Length <= MaxErrorHeader ? error : error[..MaxErrorHeader] + "…";
            add(to, MeshHeader.Error, HeaderText.Encode(sentence));
        }

        return (status, reply.ContentType, reply.Body);
    }

    /// <summary>The same as a value.</summary>
    public static HttpReply Write(ReplyMessage reply, string topic)
    {
        var headers = new List<(string, string)>();
        var (status, contentType, body) = Write(reply, topic, headers, static (list, name, value) => list.Add((name, value)));
        return new(status, contentType, headers, body);
    }

    /// <summary>Reads a reply, also that of a foreign server, which has only the status and headers of HTTP.</summary>
    /// <param name="response">The response.</param>
    /// <param name="from">The name of the server, for messages.</param>
    /// <param name="isForeign">True if the server is not expected to be a node.</param>
    /// <param name="clock">The clock that dates are compared with.</param>
    /// <param name="isFromNode">Whether a node sent the response, and not a server or proxy that is not part of the mesh.</param>
    public static ReplyMessage Read(HttpReply response, string from, bool isForeign, TimeProvider clock, out bool isFromNode)
    {
        var headers = default(ReplyHeaders);
        foreach (var (name, value) in response.Headers)
        {
            headers.Read(name, value, clock);
        }

        return Read(new(response.Status, response.ContentType, headers, response.Body), from, isForeign, out isFromNode);
    }

    /// <summary>The same for a response whose headers were read.</summary>
    public static ReplyMessage Read(HttpExchange response, string from, bool isForeign, out bool isFromNode)
    {
        ref readonly var headers = ref response.Headers;
        isFromNode = headers.Status is not null;
        if (!isFromNode && !(isForeign && response.Status is >= 200 and < 300 && !IsPage(response)))
        {
            return ReadUnexpected(response, from, isForeign);
        }

        var status = headers.Status ?? response.Status;
        if (!StatusRange.Contains(status))
        {
            return ReplyMessage.Failure(
                BadGateway, $"{from} answered with the status {status}; {StatusRange.Min} to {StatusRange.Max} are allowed.",
                headers.NotProcessed, headers.RetryAfter);
        }

        var isProblem = response.ContentType.StartsWith(ProblemDetails.ContentType, StringComparison.OrdinalIgnoreCase);
        return new ReplyMessage
        {
            Status = (StatusCode)status,
            Headers = headers.Own,
            ContentType = isProblem ? "" : response.ContentType,
            Body = isProblem ? default : response.Body,
            Error = isProblem ? ProblemDetails.ReadDetail(response.Body.Span) : headers.Error,
            NotProcessed = headers.NotProcessed,
            IsOfHandler = headers.IsOfHandler,
            RetryAfter = headers.RetryAfter,
        };
    }

    // A service does not answer a message with a page for a browser.
    private static bool IsPage(HttpExchange response) =>
        response.ContentType.StartsWith("text/html", StringComparison.OrdinalIgnoreCase);

    // The error page of a proxy, or a web server behind the wrong port: reported as such, and never taken for the answer of a node.
    private static ReplyMessage ReadUnexpected(HttpExchange response, string from, bool isForeign)
    {
        var (notProcessed, retryAfter) = (response.Headers.NotProcessed, response.Headers.RetryAfter);
        var isProblem = response.ContentType.StartsWith(ProblemDetails.ContentType, StringComparison.OrdinalIgnoreCase);
        if (isProblem && ProblemDetails.ReadDetail(response.Body.Span) is { } detail)
        {
            var status = response.Status is >= StatusRange.FirstFailure and <= StatusRange.Max ? (StatusCode)response.Status : BadGateway;
            return ReplyMessage.Failure(status, detail, notProcessed, retryAfter);
        }

        var type = response.ContentType.Length == 0 ? "no content type" : $"'{response.ContentType}'";
        var what = $"{from} answered {response.Status} with {type}";
        return (isForeign, response.Status) switch
        {
            (true, >= 200 and < 300) => ReplyMessage.Failure(
                BadGateway, $"{what}, which is a page for a browser. Check the path of the topic.", notProcessed, retryAfter),
            (true, var status) => ReplyMessage.Failure(
                (StatusCode)Math.Clamp(status, StatusRange.FirstFailure, StatusRange.Max), $"{what}.", notProcessed, retryAfter),
            (_, >= 400 and < 600) => ReplyMessage.Failure(
                (StatusCode)response.Status,
                $"{what}, which is not how a ServiceMesh node answers. There may be a proxy, or another server at this address.",
                notProcessed, retryAfter),
            _ => ReplyMessage.Failure(
                StatusCode.Unavailable, $"{what}, which is not how a ServiceMesh node answers. Check the address of the service."),
        };
    }
}

/// <summary>An HTTP response without the objects of the platform.</summary>
internal readonly record struct HttpReply(
    int Status, string ContentType, IReadOnlyList<(string Name, string Value)> Headers, ReadOnlyMemory<byte> Body);

/// <summary>A response that was received, with the headers that matter.</summary>
/// <param name="status">The status of HTTP.</param>
/// <param name="contentType">The media type of the body; empty for none.</param>
/// <param name="headers">The headers.</param>
/// <param name="body">The body; empty if it is too large.</param>
internal sealed class HttpExchange(int status, string contentType, in ReplyHeaders headers, ReadOnlyMemory<byte> body)
{
    private readonly ReplyHeaders _headers = headers;

    public int Status => status;

    public string ContentType => contentType;

    public ref readonly ReplyHeaders Headers => ref _headers;

    public ReadOnlyMemory<byte> Body => body;

    /// <summary>Whether the body is larger than the limit.</summary>
    public bool IsTooLarge { get; init; }

    /// <summary>The time to the response headers.</summary>
    public TimeSpan Latency { get; init; }
}
