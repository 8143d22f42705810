namespace ServiceMesh.Http;

/// <summary>
/// What an attempt returns to the layers above it: a reply, or the failure in place of it, with the classified outcome. Disposing the
/// result, as a retry does, disposes the reply.
/// </summary>
/// <typeparam name="TReply">What callers receive: a reply of the bus, or an HTTP response.</typeparam>
internal readonly record struct AttemptResult<TReply>(TReply? Reply, AttemptOutcome Outcome, Exception? Failure = null) : IDisposable
    where TReply : class
{
    /// <summary>The endpoint that failed, for messages; null if none did.</summary>
    public Endpoint? FailedAt { get; init; }

    public void Dispose() => (Reply as IDisposable)?.Dispose();
}
