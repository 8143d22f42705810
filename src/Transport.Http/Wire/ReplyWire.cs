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

    public static HttpReply Write(ReplyMessage reply, string topic)
    {
        var headers = new List<(string, string)> { (MeshHeader.Status, ((int)reply.Status).ToString(CultureInfo.InvariantCulture)) };
        if (reply.NotProcessed)
        {
            headers.Add((MeshHeader.NotProcessed, "1"));
        }

        if (reply is { IsOfHandler: true, Status: StatusCode.DeadlinePassed or StatusCode.Unavailable })
        {
            headers.Add((MeshHeader.OfHandler, "1"));
        }

        if (reply.RetryAfter is { } pause)
        {
            headers.Add(("Retry-After", Math.Ceiling(pause.TotalSeconds).ToString("0", CultureInfo.InvariantCulture)));
        }

        MessageWire.Write(reply.Headers, headers, static (list, name, value) => list.Add((name, value)));
        var status = HttpStatusOf(reply.Status);
        if (reply.Status.IsFailure && reply.Body.IsEmpty && reply.ContentType.Length == 0)
        {
            var problem = ProblemDetails.Write(status, reply.Error ?? "No details were given.", topic, reply.NotProcessed);
            return new(status, ProblemDetails.ContentType, headers, problem);
        }

        if (reply.Error is { } error)
        {
            var sentence = error.Length <= MaxErrorHeader ? error : error[..MaxErrorHeader] + "…";
            headers.Add((MeshHeader.Error, HeaderText.Encode(sentence)));
        }

        return new(status, reply.ContentType, headers, reply.Body);
    }

    /// <summary>Whether a header belongs to the reply; all others are between HTTP clients, proxies and servers.</summary>
    public static bool Reads(string name) =>
        MessageWire.Reads(name) || name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads a reply, also that of a foreign server, which has only the status and headers of HTTP.</summary>
    /// <param name="response">The response.</param>
    /// <param name="from">The name of the server, for messages.</param>
    /// <param name="isForeign">True if the server is not expected to be a node.</param>
    /// <param name="clock">The clock that dates are compared with.</param>
    /// <param name="isFromNode">Whether a node sent the response, and not a server or proxy that is not part of the mesh.</param>
    public static ReplyMessage Read(HttpReply response, string from, bool isForeign, TimeProvider clock, out bool isFromNode)
    {
        int? meshStatus = null;
        string? error = null;
        var (notProcessed, isOfHandler) = (false, false);
        TimeSpan? retryAfter = null;
        List<(string, string)>? own = null;
        foreach (var (name, value) in response.Headers)
        {
            if (name.Equals(MeshHeader.Status, StringComparison.OrdinalIgnoreCase)
                && int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var written))
            {
                meshStatus = written;
            }
            else if (name.Equals(MeshHeader.Error, StringComparison.OrdinalIgnoreCase))
            {
                error = HeaderText.Decode(value);
            }
            else if (name.Equals(MeshHeader.NotProcessed, StringComparison.OrdinalIgnoreCase))
            {
                notProcessed = value == "1";
            }
            else if (name.Equals(MeshHeader.OfHandler, StringComparison.OrdinalIgnoreCase))
            {
                isOfHandler = value == "1";
            }
            else if (name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase))
            {
                retryAfter = RetryAfter.Read(value, clock);
            }
            else if (MessageWire.TryReadOwn(name, value) is { } header)
            {
                (own ??= []).Add(header);
            }
        }

        isFromNode = meshStatus is not null;
        if (!isFromNode && !(isForeign && response.Status is >= 200 and < 300 && !IsPage(response)))
        {
            return ReadUnexpected(response, from, notProcessed, isForeign, retryAfter);
        }

        var status = meshStatus ?? response.Status;
        if (!StatusRange.Contains(status))
        {
            return ReplyMessage.Failure(
                BadGateway, $"{from} answered with the status {status}; {StatusRange.Min} to {StatusRange.Max} are allowed.", notProcessed,
                retryAfter);
        }

        var isProblem = response.ContentType.StartsWith(ProblemDetails.ContentType, StringComparison.OrdinalIgnoreCase);
        return new ReplyMessage
        {
            Status = (StatusCode)status,
            Headers = own is not null && Headers.TryRead(own, out var headers) ? headers : Headers.Empty,
            ContentType = isProblem ? "" : response.ContentType,
            Body = isProblem ? default : response.Body,
            Error = isProblem ? ProblemDetails.ReadDetail(response.Body.Span) : error,
            NotProcessed = notProcessed,
            IsOfHandler = isOfHandler,
            RetryAfter = retryAfter,
        };
    }

    // A service does not answer a message with a page for a browser.
    private static bool IsPage(HttpReply response) =>
        response.ContentType.StartsWith("text/html", StringComparison.OrdinalIgnoreCase);

    // The error page of a proxy, or a web server behind the wrong port: reported as such, and never taken for the answer of a node.
    private static ReplyMessage ReadUnexpected(HttpReply response, string from, bool notProcessed, bool isForeign, TimeSpan? retryAfter)
    {
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
