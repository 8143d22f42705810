using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// Reads the body of a response within its attempt, so that another attempt can follow if the connection breaks or stalls in the middle of
/// it. A long or endless body is handed to the caller as a stream.
/// </summary>
internal static class ReadAhead
{
    private const int FirstBuffer = 16 * 1024;

    // Readers of these media types want each part as it arrives.
    private static readonly HashSet<string> s_streams = new(StringComparer.OrdinalIgnoreCase)
    {
        "text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines",
        "application/json-seq", "multipart/x-mixed-replace",
    };

    /// <summary>
    /// Whether the body may be read before the caller receives it: it is finite, and its announced length is within the limit.
    /// </summary>
    public static bool IsFor(HttpResponseMessage response, int limit) =>
        limit > 0 && !(response.Content.Headers.ContentLength > limit) && !IsStream(response.Content);

    /// <summary>Whether there is a body at all. The body of 101 is the connection of another protocol and is not read here.</summary>
    public static bool HasBody(HttpResponseMessage response, HttpMethod method) =>
        method != HttpMethod.Head
        && response.StatusCode is not (HttpStatusCode.SwitchingProtocols or HttpStatusCode.NoContent or HttpStatusCode.NotModified)
        && response.Content.Headers.ContentLength != 0;

    /// <summary>
    /// Makes the whole body the content of the response; if it is longer than the limit, its beginning and the rest as a stream.
    /// </summary>
    public static async Task ApplyAsync(HttpResponseMessage response, BodyStream body, int limit, CancellationToken cancellationToken)
    {
        // One byte more than the limit shows whether the body ends.
        var max = (int)Math.Min(Math.Min(limit, response.Content.Headers.ContentLength ?? limit) + 1L, Array.MaxLength);
        var buffer = new byte[Math.Min(max, FirstBuffer)];
        var length = 0;
        int read;
        do
        {
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(max, buffer.Length * 2L));
            }

            read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
            length += read;
        }
        while (read > 0 && length < max);

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

    /// <summary>Makes the unread body the content of the response.</summary>
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
        content.Headers.ContentType?.MediaType is { } type
        && (s_streams.Contains(type) || type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase));
}
