using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>
/// What a handler knows about the message it handles, and what it may say beside its answer. One for each message;
/// setters are for the handler's own flow and not thread-safe, everything else is.
/// </summary>
public sealed class HandlerContext
{
    private enum Cause
    {
        None,
        CallerGone,
        Stopping,
    }

    private readonly Node _node;
    private readonly Delivery _delivery;
    private readonly CancellationToken _callerGone;

    // Made when somebody first asks for the token: most handlers end before they could be cancelled.
    private CancellationTokenSource? _source;
    private CancellationToken _token;
    private volatile bool _hasToken;
    private CancellationTokenRegistration _onCallerGone;
    private CancellationTokenRegistration _onStopping;
    private volatile Cause _cause;
    private bool _limitIsDeadline;
    private bool _ended;

    private long _started;
    private AsyncServiceScope? _scope;

    internal HandlerContext(Node node, Delivery delivery, CancellationToken callerGone)
    {
        _node = node;
        _delivery = delivery;
        _callerGone = callerGone;
        _started = node.Clock.GetTimestamp();
    }

    /// <summary>The message as it arrived, undecoded.</summary>
    public Message Message => _delivery.Message;

    /// <summary>The topic that was called; for a subscription by pattern the one that matched.</summary>
    public Topic Topic => Message.Topic;

    /// <summary>The group in which this handler took the message; null for a signal subscriber of its own.</summary>
    public string? Group => _delivery.Subscription.Group;

    /// <summary>The id of the node that sent it.</summary>
    public string Sender => Message.Sender;

    /// <summary>What travelled beside the body.</summary>
    public Headers Headers => Message.Headers;

    /// <summary>The id of the node that handles it.</summary>
    public string NodeId => _node.Id;

    /// <summary>
    /// What is left of the caller's deadline or of the handler's own timeout, whichever ends first. Use it as the
    /// timeout of what the handler calls in turn.
    /// </summary>
    public TimeSpan Remaining
    {
        get
        {
            var own = _delivery.Subscription.Timeout - Elapsed;
            var callers = Message.Deadline.Remaining;
            var least = own < callers ? own : callers;
            return least > TimeSpan.Zero ? least : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// Fires when the caller gave up, the deadline passed, the handler's timeout passed, or the node has waited long
    /// enough for it while shutting down. Pass it on.
    /// </summary>
    public CancellationToken CancellationToken => _hasToken ? _token : MakeToken(whenEnded: new(canceled: true));

    /// <summary>
    /// The status of the answer. Default: <see cref="StatusCode.Ok"/>. With 300 or more the value still travels, and the
    /// caller sees a failure.
    /// </summary>
    public StatusCode Status { get; set; } = StatusCode.Ok;

    /// <summary>Texts that travel back beside the answer. Default: none.</summary>
    public Headers ReplyHeaders { get; set; } = Headers.Empty;

    /// <summary>The services of this message's scope; disposed when the handler ends.</summary>
    public IServiceProvider Services => (_scope ??= _node.Scopes.CreateAsyncScope()).ServiceProvider;

    internal Exception? Exception { get; set; }

    internal TimeSpan Elapsed => _node.Clock.GetElapsedTime(_started);

    internal bool HasGivenUp => _hasToken && _token.IsCancellationRequested;

    // To wait for the handler with: once it has ended, its own end is all there is to wait for.
    internal CancellationToken TokenUntilEnded => MakeToken(whenEnded: CancellationToken.None);

    // Queued messages have no handler timeout yet, but they do have a caller and a node.
    internal CancellationToken TokenWhileQueued => MakeToken(Message.Deadline.Remaining, limitIsDeadline: true, whenEnded: default);

    internal object HandlerFromScope(Type type) => Services.GetRequiredService(type);

    /// <summary>The handler begins now: its own time counts from here.</summary>
    internal void Start()
    {
        if (_hasToken)
        {
            lock (_delivery)
            {
                // It waited in the queue with a token that knows nothing of the handler's timeout.
                DisposeTokenNeedsLock();
            }
        }

        _started = _node.Clock.GetTimestamp();
    }

    internal ReplyMessage GiveUpReply(bool notProcessed = false) => _cause switch
    {
        Cause.Stopping => ReplyMessage.Failure(
            StatusCode.Unavailable, $"Node '{_node.Id}' shut down before it had handled '{Topic}'.", notProcessed),
        Cause.CallerGone => ReplyMessage.Failure(
            StatusCode.DeadlinePassed, $"The caller of '{Topic}' waits no more.", notProcessed),
        _ when _limitIsDeadline => ReplyMessage.Failure(
            StatusCode.DeadlinePassed, $"The caller's deadline passed before '{Topic}' was handled.", notProcessed),
        _ => ReplyMessage.Failure(
            StatusCode.HandlerTimeout,
            $"The handler of '{_delivery.Subscription.Pattern}' ran longer than its timeout of {_delivery.Subscription.Timeout}."),
    };

    internal async ValueTask EndAsync()
    {
        lock (_delivery)
        {
            _ended = true;
            DisposeTokenNeedsLock();
        }

        if (_scope is not { } scope)
        {
            return;
        }

        try
        {
            await scope.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            // The answer stands; a dispose that throws is the application's defect and must be seen.
            Log.ScopeDisposeFailed(_node.Logger, Topic.ToString(), failure);
        }
    }

    private CancellationToken MakeToken(CancellationToken whenEnded)
    {
        var left = Message.Deadline.Remaining;
        var own = _delivery.Subscription.Timeout - Elapsed;
        return left < own ? MakeToken(left, limitIsDeadline: true, whenEnded) : MakeToken(own, limitIsDeadline: false, whenEnded);
    }

    private CancellationToken MakeToken(TimeSpan limit, bool limitIsDeadline, CancellationToken whenEnded)
    {
        // Nobody else locks a delivery, and a lock of its own would cost every message an object.
        lock (_delivery)
        {
            if (_ended)
            {
                return whenEnded;
            }

            if (_source is null)
            {
                _limitIsDeadline = limitIsDeadline;
                _source = limit == TimeSpan.MaxValue ? new() : new(limit > TimeSpan.Zero ? limit : TimeSpan.Zero, _node.Clock);
                _token = _source.Token;

                // A token that has fired already calls back right here. That runs no user code: nobody has the new token yet.
                _onCallerGone = _callerGone.UnsafeRegister(static c => ((HandlerContext)c!).Cancel(Cause.CallerGone), this);
                _onStopping = _node.Stopping.UnsafeRegister(static c => ((HandlerContext)c!).Cancel(Cause.Stopping), this);
                _hasToken = true;
            }

            return _token;
        }
    }

    private void Cancel(Cause cause)
    {
        _cause = cause;
        try
        {
            // Marks the token at once and calls back on the pool: whoever cancels must not run the handler's code.
            _ = _source?.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The handler ended at this very moment; there is nothing left to cancel.
        }
    }

    private void DisposeTokenNeedsLock()
    {
        // Unregister does not wait for a callback that is running: that may be the one that brought us here.
        _onCallerGone.Unregister();
        _onStopping.Unregister();
        _hasToken = false;
        _source?.Dispose();
        _source = null;
    }
}
