using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// A reply as an HTTP response and back. A failure without a body of its own is problem details (RFC 9457). Pure.
/// </summary>
internal static class ReplyWire
{
    // A sentence beside a body of the handler's own: long enough for any that the bus makes.
    private const int LongestErrorHeader = 1024;

    private const StatusCode BadGateway = (StatusCode)502;

    // HTTP forbids a body with these, and has no others than three digits.
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
            var sentence = error.Length <= LongestErrorHeader ? error : error[..LongestErrorHeader] + "…";
            headers.Add((MeshHeader.Error, HeaderText.Encode(sentence)));
        }

        return new(status, reply.ContentType, headers, reply.Body);
    }

    /// <summary>Whether a header of an answer is the wire's affair; all others are between HTTP's own parties.</summary>
    public static bool Reads(string name) =>
        MessageWire.Reads(name) || name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads an answer, a foreign server's included: that has HTTP's status and headers only.</summary>
    /// <param name="response">What came.</param>
    /// <param name="from">Whom to name when it is no answer.</param>
    /// <param name="isForeign">True when the server is not expected to be a node.</param>
    /// <param name="clock">The clock that dates are compared with.</param>
    /// <param name="isFromNode">Whether a node said it, and not a server or proxy that knows nothing of nodes.</param>
    public static ReplyMessage Read(HttpReply response, string from, bool isForeign, TimeProvider clock, out bool isFromNode)
    {
        int? meshStatus = null;
        string? error = null;
        var notProcessed = false;
        TimeSpan? retryAfter = null;
        List<(string, string)>? own = null;
        foreach (var (name, value) in response.Headers)
        {
            if (name.Equals(MeshHeader.Status, StringComparison.OrdinalIgnoreCase) && int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var status))
            {
                meshStatus = status;
            }
            else if (name.Equals(MeshHeader.Error, StringComparison.OrdinalIgnoreCase))
            {
                error = HeaderText.Decode(value);
            }
            else if (name.Equals(MeshHeader.NotProcessed, StringComparison.OrdinalIgnoreCase))
            {
                notProcessed = value == "1";
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
            return Stranger(response, from, notProcessed, isForeign, retryAfter);
        }

        var isProblem = response.ContentType.StartsWith(ProblemDetails.ContentType, StringComparison.OrdinalIgnoreCase);
        return new ReplyMessage
        {
            Status = (StatusCode)(meshStatus ?? response.Status),
            Headers = own is not null && Headers.TryRead(own, out var headers) ? headers : Headers.Empty,
            ContentType = isProblem ? "" : response.ContentType,
            Body = isProblem ? default : response.Body,
            Error = isProblem ? ProblemDetails.ReadDetail(response.Body.Span) : error,
            NotProcessed = notProcessed,
            RetryAfter = retryAfter,
        };
    }

    // Nobody answers a message with a page for people.
    private static bool IsPage(HttpReply response) => response.ContentType.StartsWith("text/html", StringComparison.OrdinalIgnoreCase);

    // A proxy's error page, a web server behind the wrong port: said as what it is, and never taken for a node's answer.
    private static ReplyMessage Stranger(HttpReply response, string from, bool notProcessed, bool isForeign, TimeSpan? retryAfter)
    {
        var isProblem = response.ContentType.StartsWith(ProblemDetails.ContentType, StringComparison.OrdinalIgnoreCase);
        if (isProblem && ProblemDetails.ReadDetail(response.Body.Span) is { } detail)
        {
            return ReplyMessage.Failure((StatusCode)response.Status, detail, notProcessed, retryAfter);
        }

        var what = $"{from} answered {response.Status} with {(response.ContentType.Length == 0 ? "no content type" : $"'{response.ContentType}'")}";
        return (isForeign, response.Status) switch
        {
            (true, >= 200 and < 300) => ReplyMessage.Failure(BadGateway, $"{what}, which is a page for people. Is the path right?", notProcessed, retryAfter),
            (true, var status) => ReplyMessage.Failure((StatusCode)Math.Max(status, 300), $"{what}.", notProcessed, retryAfter),
            (_, >= 400 and < 600) => ReplyMessage.Failure(
                (StatusCode)response.Status, $"{what}, which is not how a ServiceMesh node answers. Is it a proxy, or another server at this address?", notProcessed, retryAfter),
            _ => ReplyMessage.Failure(StatusCode.Unavailable, $"{what}, which is not how a ServiceMesh node answers. Is the address right?"),
        };
    }
}

/// <summary>What travels back: an HTTP response, without HTTP's own objects.</summary>
internal readonly record struct HttpReply(int Status, string ContentType, IReadOnlyList<(string Name, string Value)> Headers, ReadOnlyMemory<byte> Body);
