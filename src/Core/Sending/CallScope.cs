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
    private CallScope? _parent;
    private volatile bool _isLost;
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
    /// Begins a part of this call with options of its own: it has the deadline of the call or an earlier one, and ends with the call.
    /// </summary>
    /// <exception cref="ArgumentException">The headers of both together are beyond their limits.</exception>
    public CallScope Nest(RequestOptions? options, TimeProvider clock)
    {
        var isEarlier = options?.Timeout < Deadline.Remaining;
        var part = isEarlier ? new CallScope(options!.Timeout!.Value, clock) : new();
        part.Timeout = isEarlier ? options!.Timeout!.Value : Timeout;
        part.Deadline = isEarlier ? Deadline.After(part.Timeout, clock) : Deadline;
        part._options = options is null ? _options : options with
        {
            Headers = options.Headers.Aggregate(Headers, (all, own) => all.With(own.Key, own.Value)),
            IsIdempotent = options.IsIdempotent ?? IsIdempotent,
            Retry = options.Retry ?? Retry,
        };
        part._parent = this;
        part._caller = Token;
        part._link = Token.UnsafeRegister(static part => ((CallScope)part!).Cancel(), part);
        return part;
    }

    /// <summary>The result of this part is not needed: what runs in it is told as if its caller had cancelled.</summary>
    public Task LoseAsync()
    {
        _isLost = true;
        return CancelAsync();
    }

    /// <summary>
    /// What to tell when the token has fired: the caller's own cancellation is thrown as such, the deadline is a failure.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller cancelled, or the part is not needed.</exception>
    public ReplyMessage GaveUp(string step, bool notSent = false)
    {
        if (_parent is { IsCancellationRequested: true })
        {
            return _parent.GaveUp(step, notSent);
        }

        if (_isLost)
        {
            throw new OperationCanceledException($"The result of '{step}' is not needed.", Token);
        }

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
