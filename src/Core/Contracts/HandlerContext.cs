using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh;

/// <summary>
/// What a handler knows about the message it handles, and what it may say beside its answer. One for each message;
/// setters are for the handler's own flow and not thread-safe, everything else is.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The bus disposes what it owns in EndAsync; a handler must not be able to.")]
public sealed class HandlerContext
{
    private readonly Delivery _delivery;
    private readonly CancellationToken _callerGone;

    // Made when somebody first asks for the token: most handlers end before they could be cancelled.
    private volatile HandlerCancellation? _cancellation;
    private bool _ended;

    private long _started;
    private IServiceScope? _scope;

    internal HandlerContext(Delivery delivery, CancellationToken callerGone)
    {
        _delivery = delivery;
        _callerGone = callerGone;
        _started = Node.Clock.GetTimestamp();
    }

    private Node Node => _delivery.Subscription.Node;

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
    public string NodeId => Node.Id;

    /// <summary>
    /// What is left of the caller's deadline or of the handler's own timeout, whichever ends first. Use it as the
    /// timeout of what the handler calls in turn.
    /// </summary>
    public TimeSpan Remaining
    {
        get
        {
            var least = Least(Message.Deadline.Remaining, OwnTimeLeft);
            return least > TimeSpan.Zero ? least : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// Fires when the caller gave up, the deadline passed, the handler's timeout passed, or the node has waited long
    /// enough for it while shutting down. Pass it on.
    /// </summary>
    public CancellationToken CancellationToken => _cancellation?.Token ?? MakeToken(queued: false, whenEnded: new(canceled: true));

    /// <summary>
    /// The status of the answer. Default: <see cref="StatusCode.Ok"/>. With 300 or more the value still travels, and the
    /// caller sees a failure.
    /// </summary>
    public StatusCode Status { get; set; } = StatusCode.Ok;

    /// <summary>Texts that travel back beside the answer. Default: none.</summary>
    public Headers ReplyHeaders { get; set; } = Headers.Empty;

    /// <summary>The services of this message's scope; disposed when the handler ends.</summary>
    public IServiceProvider Services
    {
        get
        {
            lock (_delivery)
            {
                return (_scope ??= Node.Scopes.CreateScope()).ServiceProvider;
            }
        }
    }

    /// <summary>The bus of this node, for what the handler asks or tells in turn. See <see cref="RequestOptions.Within"/>.</summary>
    public IServiceBus Bus => Node.Bus;

    internal Exception? Exception { get; set; }

    /// <summary>True once the message has passed the middleware and been decoded.</summary>
    internal bool HandlerRan { get; set; }

    internal TimeSpan Elapsed => Node.Clock.GetElapsedTime(_started);

    // A handler that never looked at its token, and kept its thread, may be out of time all the same.
    internal bool HasGivenUp => _cancellation is { } cancellation
        ? cancellation.Token.IsCancellationRequested
        : Message.Deadline.HasPassed || OwnTimeLeft <= TimeSpan.Zero;

    // To wait for the handler with: once it has ended, its own end is all there is to wait for.
    internal CancellationToken TokenUntilEnded => MakeToken(queued: false, whenEnded: CancellationToken.None);

    // Queued messages have no handler timeout yet, but they do have a caller and a node.
    internal CancellationToken TokenWhileQueued => MakeToken(queued: true, whenEnded: CancellationToken.None);

    private HandlerCancellation.Cause Reason => _cancellation?.Reason
        ?? (Message.Deadline.HasPassed ? HandlerCancellation.Cause.Deadline : HandlerCancellation.Cause.HandlerTimeout);

    private TimeSpan OwnTimeLeft => _delivery.Subscription.Timeout - Elapsed;

    internal object HandlerFromScope(Type type) => Services.GetRequiredService(type);

    /// <summary>The handler begins now: its own time counts from here.</summary>
    internal void Start()
    {
        if (_cancellation is { } whileQueued)
        {
            // It knows nothing of the handler's timeout.
            _cancellation = null;
            whileQueued.Dispose();
        }

        _started = Node.Clock.GetTimestamp();
    }

    /// <summary>The answer when the token has fired.</summary>
    internal ReplyMessage GiveUpReply(bool notProcessed = false) => Reason switch
    {
        HandlerCancellation.Cause.Stopping => ReplyMessage.Failure(
            StatusCode.Unavailable, $"Node '{Node.Id}' shut down before it had handled '{Topic}'.", notProcessed),
        HandlerCancellation.Cause.CallerGone => ReplyMessage.Failure(
            StatusCode.DeadlinePassed, $"The caller of '{Topic}' waits no more.", notProcessed),
        HandlerCancellation.Cause.Deadline => ReplyMessage.Failure(
            StatusCode.DeadlinePassed, $"The caller's deadline passed before '{Topic}' was handled.", notProcessed),
        _ => ReplyMessage.Failure(
            StatusCode.HandlerTimeout,
            $"The handler of '{_delivery.Subscription.Pattern}' ran longer than its timeout of {_delivery.Subscription.Timeout}."),
    };

    /// <summary>The handler has ended: lets go of its token and its services. Never throws.</summary>
    internal async ValueTask EndAsync()
    {
        lock (_delivery)
        {
            _ended = true;
        }

        _cancellation?.Dispose();
        if (_scope is null)
        {
            return;
        }

        try
        {
            if (_scope is IAsyncDisposable scope)
            {
                await scope.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                _scope.Dispose();
            }
        }
        catch (Exception failure)
        {
            // The answer stands; a dispose that throws is the application's defect and must be seen.
            Log.ScopeDisposeFailed(Node.Logger, Topic.ToString(), Sender, failure);
        }
    }

    private CancellationToken MakeToken(bool queued, CancellationToken whenEnded)
    {
        // Nobody else locks a delivery, and a lock of its own would cost every message an object.
        lock (_delivery)
        {
            if (_cancellation is null)
            {
                if (_ended)
                {
                    return whenEnded;
                }

                var (callers, own) = (Message.Deadline.Remaining, queued ? TimeSpan.MaxValue : OwnTimeLeft);
                _cancellation = new(
                    Least(callers, own),
                    callers < own ? HandlerCancellation.Cause.Deadline : HandlerCancellation.Cause.HandlerTimeout,
                    Node.Clock, _callerGone, Node.Stopping);
            }

            return _cancellation.Token;
        }
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
