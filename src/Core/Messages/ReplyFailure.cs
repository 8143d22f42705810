namespace ServiceMesh;

/// <summary>The few kinds of failure that a caller would treat differently; each has its exception.</summary>
public enum FailureKind
{
    /// <summary>No node handles the topic: <see cref="NoHandlerException"/>.</summary>
    NoHandler,

    /// <summary>The deadline passed: <see cref="RequestTimedOutException"/>.</summary>
    TimedOut,

    /// <summary>Refused before a handler ran: <see cref="RequestRejectedException"/>.</summary>
    Rejected,

    /// <summary>A handler ran and failed: <see cref="HandlerFailedException"/>.</summary>
    HandlerFailed,

    /// <summary>The transport or the node cannot serve now: <see cref="TransportUnavailableException"/>.</summary>
    Unavailable,
}

/// <summary>What went wrong with one request or one step of a composition. Immutable.</summary>
public sealed class ReplyFailure
{
    internal ReplyFailure(StatusCode status, string step, string message, bool notProcessed = false)
    {
        Status = status;
        Step = step;
        Message = message;
        NotProcessed = notProcessed;
    }

    /// <summary>The same failure as that of a form around the step that failed.</summary>
    internal ReplyFailure(ReplyFailure step, bool notProcessed)
        : this(step.Status, step.Step, step.Message, notProcessed)
    {
        RetryAfter = step.RetryAfter;
        Exception = step.Exception;
        Value = step.Value;
        Parts = step.Parts;
        IsOfHandler = step.IsOfHandler;
        MayRunAgain = step.MayRunAgain;
    }

    /// <summary>How it ended; 300 or more.</summary>
    public StatusCode Status { get; }

    /// <summary>The topic, or the description of the step, that failed.</summary>
    public string Step { get; }

    /// <summary>What happened, in a sentence.</summary>
    public string Message { get; }

    /// <summary>
    /// True when no handler ran, so that sending the request again cannot do anything twice. Of a composition: when no handler and no
    /// local function ran in this execution, in no step and no branch.
    /// </summary>
    public bool NotProcessed { get; }

    /// <summary>True when sending it again is safe and may succeed: refused for now, and not processed.</summary>
    public bool IsRetryable => NotProcessed && Status is StatusCode.Overloaded or StatusCode.Unavailable;

    /// <summary>
    /// After how long another attempt may succeed: an open circuit, a server's <c>Retry-After</c>. Null when it is not known.
    /// </summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The exception of a local step (a lambda, a decoder); null when another node failed.</summary>
    public Exception? Exception { get; init; }

    /// <summary>
    /// For forms with several replies (parallel, each, both, race, and a record or settle whose deadline passed): each one in the order
    /// written, successes too. Otherwise empty.
    /// </summary>
    public IReadOnlyList<Reply> Parts { get; init; } = [];

    /// <summary>
    /// What the handler answered beside its failing status, also when the composition does not end with a value of that type. Null when
    /// there was none.
    /// </summary>
    public object? Value { get; init; }

    /// <summary>True when the application's own code chose the status: a handler, or a local step.</summary>
    internal bool IsOfHandler { get; init; }

    /// <summary>
    /// True when what is left of the failed step may run: nothing of it has run, or it may run twice.
    /// </summary>
    internal bool MayRunAgain { get => field || NotProcessed; init; }

    /// <summary>Which of the few kinds this is.</summary>
    public FailureKind Kind => Status switch
    {
        _ when IsOfHandler => FailureKind.HandlerFailed,
        StatusCode.DeadlinePassed => FailureKind.TimedOut,
        StatusCode.Unavailable => FailureKind.Unavailable,
        StatusCode.NotFound when NotProcessed => FailureKind.NoHandler,
        _ when NotProcessed => FailureKind.Rejected,
        _ => FailureKind.HandlerFailed,
    };

    /// <summary>The exception that <c>RequestAsync</c> throws for this failure.</summary>
    public ServiceMeshException ToException() => Kind switch
    {
        FailureKind.NoHandler => new NoHandlerException(this),
        FailureKind.TimedOut => new RequestTimedOutException(this),
        FailureKind.Rejected => new RequestRejectedException(this),
        FailureKind.Unavailable => new TransportUnavailableException(this),
        _ => new HandlerFailedException(this),
    };
}
