namespace ServiceMesh;

/// <summary>
/// One deadline and one token for one call, be it a single request or a composition of a hundred. It is the token
/// source itself, which saves an object on every request.
/// </summary>
internal sealed class CallScope : CancellationTokenSource
{
    private readonly CancellationToken _caller;
    private readonly CancellationTokenRegistration _link;
    private readonly RequestOptions? _options;

    public CallScope(TimeSpan timeout, RequestOptions? options, TimeProvider clock, CancellationToken caller)
        : base(timeout, clock)
    {
        _caller = caller;
        Timeout = timeout;
        _options = options;
        Deadline = Deadline.After(timeout, clock);
        _link = caller.UnsafeRegister(static scope => ((CallScope)scope!).Cancel(), this);
    }

    public TimeSpan Timeout { get; }

    public Headers Headers => _options?.Headers ?? Headers.Empty;

    /// <summary>What the caller said about running twice; null to leave it to the contract.</summary>
    public bool? IsIdempotent => _options?.IsIdempotent;

    public RetryOptions? Retry => _options?.Retry;

    public Deadline Deadline { get; }

    /// <summary>
    /// What to tell when the token has fired: the caller's own cancellation is thrown as such, the deadline is a failure.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public ReplyMessage GaveUp(string step, bool notSent = false)
    {
        _caller.ThrowIfCancellationRequested();
        return ReplyMessage.Failure(
            StatusCode.DeadlinePassed,
            notSent
                ? $"The deadline of {Timeout} had passed before '{step}' began."
                : $"No answer to '{step}' within the deadline of {Timeout}. Whether a handler ran is not known.",
            notProcessed: notSent);
    }

    protected override void Dispose(bool disposing)
    {
        _link.Dispose();
        base.Dispose(disposing);
    }
}
