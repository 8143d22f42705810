using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// Reads the body of an answer within its attempt, so that a connection that breaks or stalls in the middle of it can be
/// tried elsewhere. What is long, or never meant to end, goes on to the caller as a stream.
/// </summary>
internal static class ReadAhead
{
    private const int FirstBuffer = 16 * 1024;

    // Whoever reads these wants each part as it comes.
    private static readonly HashSet<string> s_streams = new(StringComparer.OrdinalIgnoreCase)
    {
        "text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-seq", "multipart/x-mixed-replace",
    };

    /// <summary>Whether the body may be read before the caller gets it: it is a finite one, and not announced to be longer than the limit.</summary>
    public static bool IsFor(HttpResponseMessage response, int limit) =>
        limit > 0 && !(response.Content.Headers.ContentLength > limit) && !IsStream(response.Content);

    /// <summary>Whether there is a body at all. That of 101 is another protocol's connection, and not read by anybody here.</summary>
    public static bool HasBody(HttpResponseMessage response, HttpMethod method) =>
        method != HttpMethod.Head && response.StatusCode is not (HttpStatusCode.SwitchingProtocols or HttpStatusCode.NoContent or HttpStatusCode.NotModified)
        && response.Content.Headers.ContentLength != 0;

    /// <summary>Makes the whole body the response's content; or, when it is longer than the limit, its beginning and the rest as a stream.</summary>
    public static async Task ApplyAsync(HttpResponseMessage response, BodyStream body, int limit, CancellationToken cancellationToken)
    {
        // One byte more than there may be shows that there is more, or that it is the end.
        var most = (int)Math.Min(Math.Min(limit, response.Content.Headers.ContentLength ?? limit) + 1L, Array.MaxLength);
        var buffer = new byte[Math.Min(most, FirstBuffer)];
        var length = 0;
        int read;
        do
        {
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(most, buffer.Length * 2L));
            }

            read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
            length += read;
        }
        while (read > 0 && length < most);

        var bytes = buffer.AsMemory(0, length);
        if (read == 0)
        {
            await body.DisposeAsync().ConfigureAwait(false);
            Replace(response, new ReadOnlyMemoryContent(bytes));
        }
        else
        {
            body.PutBack(bytes);
            Stream(response, body);
        }
    }

    /// <summary>Makes the body, unread, the response's content.</summary>
    public static void Stream(HttpResponseMessage response, BodyStream body)
    {
        body.HoldsAttempt = true;
        Replace(response, new StreamedContent(body, response.Content));
    }

    private static void Replace(HttpResponseMessage response, HttpContent content)
    {
        foreach (var (name, values) in response.Content.Headers.NonValidated)
        {
            content.Headers.TryAddWithoutValidation(name, values);
        }

        response.Content = content;
    }

    private static bool IsStream(HttpContent content) =>
        content.Headers.ContentType?.MediaType is { } type && (s_streams.Contains(type) || type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase));
}
