namespace ServiceMesh;

/// <summary>
/// A request failed for a reason that lies outside this process's code. The five kinds below are the only ones; the
/// caller's own cancellation is always <see cref="OperationCanceledException"/>, and misuse throws the usual
/// argument exceptions at once.
/// </summary>
public abstract class ServiceMeshException : Exception
{
    private protected ServiceMeshException(ReplyFailure failure)
        : base($"'{failure.Step}' failed with {(int)failure.Status}: {failure.Message}", failure.Exception) =>
        Failure = failure;

    /// <summary>Status, step, details, and whether a retry is safe.</summary>
    public ReplyFailure Failure { get; }
}

/// <summary>No node handles the topic (404).</summary>
public sealed class NoHandlerException : ServiceMeshException
{
    internal NoHandlerException(ReplyFailure failure) : base(failure) { }
}

/// <summary>The caller's deadline passed (408). Whether a handler ran is not known.</summary>
public sealed class RequestTimedOutException : ServiceMeshException
{
    internal RequestTimedOutException(ReplyFailure failure) : base(failure) { }
}

/// <summary>
/// Refused before a handler ran: undecodable, too large, overloaded (400, 413, 429), or by a middleware (401, 403, …). A
/// handler that refuses by itself has run: <see cref="HandlerFailedException"/>.
/// </summary>
public sealed class RequestRejectedException : ServiceMeshException
{
    internal RequestRejectedException(ReplyFailure failure) : base(failure) { }
}

/// <summary>A handler ran and failed: it threw, ran out of its time, or answered with a failing status of its own.</summary>
public sealed class HandlerFailedException : ServiceMeshException
{
    internal HandlerFailedException(ReplyFailure failure) : base(failure) { }
}

/// <summary>The transport, the node or every endpoint is unavailable (503).</summary>
public sealed class TransportUnavailableException : ServiceMeshException
{
    internal TransportUnavailableException(ReplyFailure failure) : base(failure) { }
}

/// <summary>Thrown by a handler that wants to answer with a failing status and a sentence instead of a value.</summary>
/// <example>
/// <code source="samples/Snippets/Handlers.cs" region="status" />
/// </example>
public sealed class ReplyException : Exception
{
    /// <summary>Answers with <paramref name="status"/> and <paramref name="message"/>.</summary>
    /// <param name="status">300 to 999.</param>
    /// <param name="message">What the caller reads. Say what was wrong with the request.</param>
    /// <param name="innerException">What led to it; goes into the error report, not to the caller.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not that of a failure.</exception>
    public ReplyException(StatusCode status, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Status = StatusRange.CheckedFailure(status, nameof(status));
    }

    /// <summary>The status to answer with.</summary>
    public StatusCode Status { get; }
}
