namespace ServiceMesh;

/// <summary>The encoded answer to a request, or how handling a signal ended. Immutable.</summary>
public sealed class ReplyMessage
{
    /// <summary>How it ended.</summary>
    public required StatusCode Status { get; init; }

    /// <summary>Texts that the handler set beside its answer. Default: none.</summary>
    public Headers Headers { get; init; } = Headers.Empty;

    /// <summary>The media type of <see cref="Body"/>; empty when there is no body.</summary>
    public string ContentType { get; init; } = "";

    /// <summary>The encoded answer; empty for most failures.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>What went wrong, in a sentence for the caller; null on success.</summary>
    public string? Error { get; init; }

    /// <summary>
    /// True when no handler ran for this request, so that sending it again cannot do anything twice.
    /// A transport must carry this mark.
    /// </summary>
    public bool NotProcessed { get; init; }

    /// <summary>
    /// After how long another attempt may succeed, when whoever refused said so: an open circuit, a server's
    /// <c>Retry-After</c>. Null when it is not known. Over HTTP it travels; other transports need not carry it.
    /// </summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The most characters that <see cref="Failure"/> keeps of an error; the rest is cut off.</summary>
    public const int MaxErrorCharacters = 4096;

    /// <summary>What this node itself threw on the way out; never travels.</summary>
    internal Exception? Exception { get; init; }

    /// <summary>
    /// True when the caller's node files the error report for this answer: what ended before or without a handler is
    /// known best, and known only once, where the caller waits. Everything else is reported where the handler ran.
    /// </summary>
    internal bool IsReportedByCaller =>
        Status is StatusCode.DeadlinePassed or StatusCode.Unavailable
        || (NotProcessed && Status is StatusCode.NotFound or StatusCode.BodyTooLarge or StatusCode.Overloaded);

    /// <summary>An answer without a body that says what went wrong.</summary>
    /// <param name="status">300 or more.</param>
    /// <param name="error">A sentence for the caller; what is beyond <see cref="MaxErrorCharacters"/> is cut off.</param>
    /// <param name="notProcessed">Whether it is certain that no handler ran.</param>
    /// <param name="retryAfter">After how long another attempt may succeed, when that is known.</param>
    public static ReplyMessage Failure(StatusCode status, string error, bool notProcessed = false, TimeSpan? retryAfter = null) =>
        new() { Status = status, Error = ExceptionText.Cut(error, MaxErrorCharacters), NotProcessed = notProcessed, RetryAfter = retryAfter };

    /// <summary>The answer of a transport that found nobody who handles the topic.</summary>
    public static ReplyMessage NoHandler(Topic topic, string? advice = null) => Failure(
        StatusCode.NotFound,
        $"No node handles '{topic}'. {advice ?? "Start a service that does, and check that both use the same transport and the same topic."}",
        notProcessed: true);
}
