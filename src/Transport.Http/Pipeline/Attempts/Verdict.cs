namespace ServiceMesh.Http;

/// <summary>What one attempt came to, as the layers need to know it.</summary>
internal enum AttemptResult
{
    /// <summary>It was answered, be it with success or failure: another attempt would change nothing.</summary>
    Answered,

    /// <summary>It was refused and nothing ran: the endpoint is full, leaving, or not who handles it. Another may take it at once.</summary>
    Declined,

    /// <summary>It did not get there: no connection, or the circuit is open. Sending it again does nothing twice.</summary>
    NotSent,

    /// <summary>It may have run: the answer is a failure that may pass, or there is none. Only what may be repeated is sent again.</summary>
    Broken,

    /// <summary>
    /// The caller's own part of it failed: its content threw while it was sent. That says nothing of the endpoint, neither good
    /// nor bad, and the caller gets what it threw.
    /// </summary>
    Withdrawn,
}

/// <summary>The judgement of one attempt, made once, where the answer was read.</summary>
/// <param name="Result">What it came to.</param>
/// <param name="IsAgainstEndpoint">Whether it counts as a failure of the endpoint, for its breaker and its ejection.</param>
/// <param name="RetryAfter">How long the server asked to be left alone; null when it did not.</param>
internal readonly record struct Verdict(AttemptResult Result, bool IsAgainstEndpoint = false, TimeSpan? RetryAfter = null)
{
    /// <summary>
    /// The judgement on an answer, by whichever side it was asked for. A node that says that its handler failed is well; of a
    /// server that is no node a failing status says the opposite.
    /// </summary>
    /// <param name="status">HTTP's, or the bus's, which are the same numbers.</param>
    /// <param name="isFromNode">Whether a node said it, and not a server or proxy that knows nothing of nodes.</param>
    /// <param name="isNotProcessed">Whether it says that nothing ran.</param>
    /// <param name="retryAfter">How long it asks to be left alone.</param>
    public static Verdict On(int status, bool isFromNode, bool isNotProcessed, TimeSpan? retryAfter) => isNotProcessed
        ? new(status is 404 or 429 or 503 ? AttemptResult.Declined : AttemptResult.Answered, RetryAfter: retryAfter)
        : new(
            status is 429 or 502 or 503 or 504 || (status >= 500 && !isFromNode) ? AttemptResult.Broken : AttemptResult.Answered,
            IsAgainstEndpoint: status >= 500 && !isFromNode,
            retryAfter);

    /// <summary>The same for the breaker: null when it says nothing of the endpoint.</summary>
    public bool? SpeaksAgainstEndpoint => Result == AttemptResult.Withdrawn ? null : IsAgainstEndpoint;

    public static readonly Verdict Answered = new(AttemptResult.Answered);

    public static readonly Verdict NotSent = new(AttemptResult.NotSent, IsAgainstEndpoint: true);

    public static readonly Verdict Withdrawn = new(AttemptResult.Withdrawn);

    public static readonly Verdict Broken = new(AttemptResult.Broken, IsAgainstEndpoint: true);
}

/// <summary>
/// What came of an attempt: a reply, or the failure that stands in its place, and the judgement. Discarding it, as a retry
/// does, disposes the reply.
/// </summary>
internal readonly record struct Answer<TReply>(TReply? Reply, Verdict Verdict, Exception? Failure = null) : IDisposable
    where TReply : class
{
    /// <summary>Where it failed, so that whoever tells of it names that one; null where nothing did.</summary>
    public Endpoint? FailedAt { get; init; }

    /// <summary>Whether nobody could be chosen: then no other attempt can follow, and none is counted or paid for.</summary>
    public bool FoundNobody { get; init; }

    public void Dispose() => (Reply as IDisposable)?.Dispose();
}
