namespace ServiceMesh;

/// <summary>
/// One deadline and one token for one call, be it a single request or a composition of a hundred. It is the token
/// source itself, which saves an object on every request; and where nothing can have kept its token it serves the next
/// call as well, with its timer and its lists (see docs/decisions/0016-scopes-are-used-again.md).
/// </summary>
internal sealed class CallScope : CancellationTokenSource
{
    // One for each thread is enough: a caller that calls again goes on where its call before ended.
    [ThreadStatic]
    private static CallScope? t_free;

    private bool _servesAgain;
    private CancellationToken _caller;
    private CancellationTokenRegistration _link;
    private RequestOptions? _options;

    private CallScope() { }

    private CallScope(TimeSpan timeout, TimeProvider clock)
        : base(timeout, clock) { }

    public TimeSpan Timeout { get; private set; }

    public Headers Headers => _options?.Headers ?? Headers.Empty;

    /// <summary>What the caller said about running twice; null to leave it to the contract.</summary>
    public bool? IsIdempotent => _options?.IsIdempotent;

    public RetryOptions? Retry => _options?.Retry;

    public Deadline Deadline { get; private set; }

    /// <summary>Begins a call. Disposed once, when it has ended.</summary>
    /// <param name="timeout">From now on.</param>
    /// <param name="options">The caller's; what they say of the timeout is known already.</param>
    /// <param name="clock">Measures the timeout.</param>
    /// <param name="servesAgain">True when nothing that is given the token looks at it after the call.</param>
    /// <param name="caller">The caller's own token.</param>
    public static CallScope Begin(TimeSpan timeout, RequestOptions? options, TimeProvider clock, bool servesAgain, CancellationToken caller)
    {
        CallScope scope;
        if (servesAgain && clock == TimeProvider.System)
        {
            // A source can be reset only with the system's timer, whose firing it can rule out.
            scope = t_free ?? new();
            t_free = null;
            scope.CancelAfter(timeout);
            scope._servesAgain = true;
        }
        else
        {
            scope = new(timeout, clock);
        }

        scope._caller = caller;
        scope.Timeout = timeout;
        scope._options = options;
        scope.Deadline = Deadline.After(timeout, clock);
        scope._link = caller.UnsafeRegister(static scope => ((CallScope)scope!).Cancel(), scope);
        return scope;
    }

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
        // Waits for a caller that is just cancelling: after it, nothing of this call can reach the scope from outside.
        _link.Dispose();

        // False once the token has fired or its timer has been queued. Otherwise whatever is still registered is let go of.
        if (_servesAgain && TryReset())
        {
            (_servesAgain, _caller, _link, _options) = (false, default, default, null);
            t_free = this;
            return;
        }

        base.Dispose(disposing);
    }
}
