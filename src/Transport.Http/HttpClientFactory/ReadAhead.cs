using System.Net;

namespace ServiceMesh.Http;

/// <summary>
/// Reads the body of a response within its attempt, so that another attempt can follow if the connection breaks in the middle of it. A
/// long or endless body is handed to the caller as a stream, and so is one that has not ended when the time of the attempt is over.
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
    /// Makes the whole body the content of the response; if it is longer than the limit, or if the time is over, its beginning and the rest
    /// as a stream.
    /// </summary>
    /// <param name="response">The response.</param>
    /// <param name="body">Its body, which was not read yet.</param>
    /// <param name="limit">The number of bytes to read at most.</param>
    /// <param name="mayHandOver">Whether the rest may become a stream when the token has fired.</param>
    /// <param name="cancellationToken">Fires when the time of the attempt is over, or when it is cancelled.</param>
    /// <exception cref="OperationCanceledException">The token fired, and the rest may not become a stream.</exception>
    public static async Task ApplyAsync(
        HttpResponseMessage response, BodyStream body, int limit, Func<bool> mayHandOver, CancellationToken cancellationToken)
    {
        // One byte more than the limit shows whether the body ends.
        var max = (int)Math.Min(Math.Min(limit, response.Content.Headers.ContentLength ?? limit) + 1L, Array.MaxLength);
        var buffer = new byte[Math.Min(max, FirstBuffer)];
        var length = 0;
        int read;
        var abandon = new CancellationTokenSource(); // without a timer, so that there is nothing to dispose
        do
        {
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(max, buffer.Length * 2L));
            }

            // Without the token of the attempt, which would end the connection together with the read.
            var reading = body.ReadAsync(buffer.AsMemory(length), abandon.Token).AsTask();
            if (!reading.IsCompleted && !await EndsInTimeAsync(reading, cancellationToken).ConfigureAwait(false))
            {
                if (!mayHandOver())
                {
                    await abandon.CancelAsync().ConfigureAwait(false);
                }
                else if (body.TryHoldAttempt())
                {
                    body.PutBack(buffer.AsMemory(0, length), new(reading, buffer.AsMemory(length), abandon));
                    Replace(response, new StreamedContent(body, response.Content));
                    return;
                }
            }

            read = await reading.ConfigureAwait(false);
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

    /// <summary>The same as <see cref="ApplyAsync"/> on the thread of the caller.</summary>
    public static void Apply(
        HttpResponseMessage response, BodyStream body, int limit, Func<bool> mayHandOver, CancellationToken cancellationToken)
    {
        var max = (int)Math.Min(Math.Min(limit, response.Content.Headers.ContentLength ?? limit) + 1L, Array.MaxLength);
        var buffer = new byte[Math.Min(max, FirstBuffer)];
        var (length, read, isAbandoned) = (0, 0, false);
        var over = cancellationToken.UnsafeRegister(
            _ =>
            {
                // Only this ends a read that blocks.
                if (!mayHandOver())
                {
                    Volatile.Write(ref isAbandoned, true);
                    body.Dispose();
                }
            },
            null);
        try
        {
            do
            {
                if (length == buffer.Length)
                {
                    Array.Resize(ref buffer, (int)Math.Min(max, buffer.Length * 2L));
                }

                read = body.Read(buffer, length, buffer.Length - length);
                length += read;
            }
            while (read > 0 && length < max && !cancellationToken.IsCancellationRequested);
        }
        catch (Exception failure) when (Volatile.Read(ref isAbandoned))
        {
            throw new TaskCanceledException(failure.Message, failure, cancellationToken);
        }
        finally
        {
            over.Dispose(); // waits for the callback
        }

        if (isAbandoned)
        {
            throw new TaskCanceledException(null, null, cancellationToken);
        }

        if (read == 0)
        {
            body.Dispose();
            Replace(response, new ReadOnlyMemoryContent(buffer.AsMemory(0, length)));
        }
        else
        {
            body.PutBack(buffer.AsMemory(0, length));
            Stream(response, body);
        }
    }

    /// <summary>Makes the body, which is not being read, the content of the response.</summary>
    public static void Stream(HttpResponseMessage response, BodyStream body)
    {
        body.TryHoldAttempt();
        Replace(response, new StreamedContent(body, response.Content));
    }

    // Whether a read ends before the token fires.
    private static async Task<bool> EndsInTimeAsync(Task<int> reading, CancellationToken cancellationToken)
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (cancellationToken.UnsafeRegister(static fired => ((TaskCompletionSource)fired!).TrySetResult(), fired)
            .ConfigureAwait(false))
        {
            return await Task.WhenAny(reading, fired.Task).ConfigureAwait(false) == reading;
        }
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
