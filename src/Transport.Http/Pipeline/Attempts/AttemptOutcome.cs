namespace ServiceMesh.Http;

/// <summary>What an attempt came to: the part of its outcome that decides whether another attempt may follow.</summary>
internal enum OutcomeKind : byte
{
    /// <summary>It was answered, with success or failure: another attempt would change nothing.</summary>
    Answered,

    /// <summary>
    /// It was refused and nothing ran: the endpoint is full, draining, or does not handle it. Another endpoint may take it at once.
    /// </summary>
    Declined,

    /// <summary>It was not sent: no connection, or the circuit is open. Sending it again runs nothing twice.</summary>
    NotSent,

    /// <summary>
    /// It may have run: there is no answer, or the answer is a temporary failure. Only repeatable requests are sent again.
    /// </summary>
    Broken,

    /// <summary>The caller's own content failed while it was sent. The caller receives that exception.</summary>
    Withdrawn,
}

/// <summary>What an attempt says about its endpoint: the part of its outcome for latency, circuit breaker and ejection.</summary>
internal enum EndpointEvidence : byte
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The endpoint works, and its latency is known.</summary>
    Success,

    /// <summary>
    /// The endpoint works and should receive less traffic: it is full, or a handler failed. It is a success for breaker and ejection.
    /// </summary>
    Busy,

    /// <summary>Another attempt was answered first, so the latency is at least the time until then.</summary>
    Slow,

    /// <summary>The endpoint failed.</summary>
    Failure,
}

/// <summary>
/// The outcome of one attempt. It is classified once, by one of the static methods here, and applied to the endpoint once, by
/// <see cref="ApplyTo"/>. Retry, hedging and the reply to the caller only read it.
/// </summary>
// Each layer of the pipeline keeps copies of it, so it is small: a nullable time would double the size of its field.
internal readonly record struct AttemptOutcome
{
    /// <summary>Final, and says nothing about an endpoint: for requests that were refused before an endpoint was chosen.</summary>
    public static readonly AttemptOutcome Refused = new(OutcomeKind.Answered, EndpointEvidence.None);

    /// <summary>Nothing was sent, and it says nothing about an endpoint: no endpoint was left, or its circuit opened meanwhile.</summary>
    public static readonly AttemptOutcome NotMade = new(OutcomeKind.NotSent, EndpointEvidence.None);

    /// <summary>The caller's own content failed.</summary>
    public static readonly AttemptOutcome Withdrawn = new(OutcomeKind.Withdrawn, EndpointEvidence.None);

    /// <summary>It is not known how the attempt ended, because something other than the attempt threw.</summary>
    public static readonly AttemptOutcome Unknown = new(OutcomeKind.Broken, EndpointEvidence.None);

    private readonly long _retryAfter; // in ticks; negative for none

    private AttemptOutcome(OutcomeKind kind, EndpointEvidence evidence, TimeSpan? retryAfter = null, TimeSpan latency = default)
    {
        Kind = kind;
        Evidence = evidence;
        _retryAfter = retryAfter?.Ticks ?? -1;
        Latency = latency;
    }

    public OutcomeKind Kind { get; private init; }

    public EndpointEvidence Evidence { get; private init; }

    /// <summary>Whether no endpoint could be chosen. Then no other attempt can follow, and none is counted or paid for.</summary>
    public bool HasNoEndpoint { get; private init; }

    /// <summary>How long the server asked its callers to wait; null when it did not.</summary>
    public TimeSpan? RetryAfter => _retryAfter < 0 ? null : TimeSpan.FromTicks(_retryAfter);

    /// <summary>From the beginning of the attempt to the response headers, or to its end if there was no answer.</summary>
    public TimeSpan Latency { get; }

    /// <summary>
    /// Whether a handler may have run without an answer that says so: then the request may no longer count as not processed.
    /// </summary>
    public bool MayHaveRun => Kind == OutcomeKind.Broken;

    /// <summary>
    /// Classifies an answer, for the bus and for HttpClients alike. A node that reports a failure of its handler works itself; a failure
    /// status from any other server means that the server failed.
    /// </summary>
    /// <param name="status">The status of the bus or of HTTP, which are the same numbers.</param>
    /// <param name="isFromNode">Whether a node sent the answer, and not a server or proxy that is not part of the mesh.</param>
    /// <param name="isNotProcessed">Whether the answer says that nothing ran.</param>
    /// <param name="retryAfter">How long the server asked its callers to wait.</param>
    /// <param name="latency">The time to the response headers.</param>
    public static AttemptOutcome OfAnswer(int status, bool isFromNode, bool isNotProcessed, TimeSpan? retryAfter, TimeSpan latency)
    {
        var kind = isNotProcessed
            ? status is 404 or 429 or 503 ? OutcomeKind.Declined : OutcomeKind.Answered
            : status is 429 or 502 or 503 or 504 || (status is 408 or 425 or >= 500 && !isFromNode) ? OutcomeKind.Broken
            : OutcomeKind.Answered; // a node says 408 when the deadline of the caller has passed
        var evidence = status is not (429 or >= 500) ? EndpointEvidence.Success
            : status == 429 || isFromNode || isNotProcessed ? EndpointEvidence.Busy
            : EndpointEvidence.Failure;
        return new(kind, evidence, retryAfter, latency);
    }

    /// <summary>Classifies an attempt without an answer: no connection, a broken connection, or a timeout.</summary>
    /// <param name="wasSent">Whether something of the request may have reached the server and have been processed.</param>
    /// <param name="isOrderly">
    /// Whether the server ended the exchange in good order, for instance by refusing the stream: that says nothing about the endpoint.
    /// </param>
    public static AttemptOutcome OfFailure(bool wasSent, bool isOrderly = false) =>
        new(wasSent ? OutcomeKind.Broken : OutcomeKind.NotSent, isOrderly ? EndpointEvidence.None : EndpointEvidence.Failure);

    /// <summary>Classifies an attempt that was cancelled.</summary>
    /// <param name="wasSent">Whether something of the request may have reached the server.</param>
    /// <param name="isSuperseded">Whether another attempt of the request was answered first.</param>
    /// <param name="hasHung">Whether the caller's time ran out after at least the time that an attempt may take.</param>
    /// <param name="latency">How long the attempt lasted.</param>
    public static AttemptOutcome OfCancellation(bool wasSent, bool isSuperseded, bool hasHung, TimeSpan latency)
    {
        // A caller that cancels, or that gives less time than an attempt may take, says nothing about the endpoint. An endpoint that hangs
        // must not look as quick as before because another one was faster.
        var evidence = isSuperseded ? EndpointEvidence.Slow : hasHung ? EndpointEvidence.Failure : EndpointEvidence.None;
        return new(wasSent ? OutcomeKind.Broken : OutcomeKind.NotSent, evidence, latency: latency);
    }

    /// <summary>The same outcome without a further attempt, for an answer that the client itself cannot use.</summary>
    public AttemptOutcome AsFinal() => this with { Kind = OutcomeKind.Answered };

    /// <summary>The same outcome of an answer, where the client itself says whether the endpoint failed.</summary>
    public AttemptOutcome Judged(bool isFailed) => this with
    {
        Evidence = isFailed ? EndpointEvidence.Failure : Evidence == EndpointEvidence.Failure ? EndpointEvidence.Success : Evidence,
    };

    /// <summary>The same outcome as the last one of a request for which no endpoint could be chosen.</summary>
    public AttemptOutcome AsNoEndpoint() => this with { HasNoEndpoint = true };

    /// <summary>
    /// Applies the outcome to the endpoint: to its latency, its ejection and its circuit breaker. This is the only place that does so.
    /// </summary>
    /// <param name="endpoint">The endpoint of the attempt.</param>
    /// <param name="pass">The pass of the endpoint's breaker; null if the attempt did not ask the breaker.</param>
    public void ApplyTo(Endpoint endpoint, CircuitPass? pass = null)
    {
        switch (Evidence)
        {
            case EndpointEvidence.Success:
                endpoint.RecordSuccess(Latency);
                Report(endpoint, pass, failed: false);
                break;

            case EndpointEvidence.Busy:
                endpoint.RecordFailure(RetryAfter);
                Report(endpoint, pass, failed: false);
                break;

            case EndpointEvidence.Slow:
                endpoint.RecordSlow(Latency);
                break;

            case EndpointEvidence.Failure:
                endpoint.RecordFailure(RetryAfter);
                Report(endpoint, pass, failed: true);
                break;
        }
    }

    private static void Report(Endpoint endpoint, CircuitPass? pass, bool failed)
    {
        var protection = EndpointProtection.Of(endpoint);
        protection.Tracker?.Record(failed);
        if (pass is { } admitted)
        {
            protection.Breaker.Report(admitted, failed);
        }
    }
}
