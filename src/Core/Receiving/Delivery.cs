using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using static ServiceMesh.HandlerCancellation;

namespace ServiceMesh.Transports;

/// <summary>
/// One message in one subscription, from the offer until its place is given back: admission, turn, handler, outcome. Accepted: call
/// <see cref="RunAsync"/> or <see cref="Withdraw"/>, exactly once. Refused: answer a request with <see cref="Refusal"/>, or call
/// <see cref="ReportLoss"/> when a signal has no other taker. The handler sees the same object as its <see cref="HandlerContext"/>.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "It disposes what it owns when the handler has ended; a handler must not be able to.")]
public sealed class Delivery : HandlerContext
{
    // A handler that takes longer than this to notice its cancellation token does not look at it.
    private static readonly TimeSpan s_timeToNotice = TimeSpan.FromSeconds(1);

    // A ticket of the gate, or the reply that refuses.
    private readonly object _admission;

    // Made on demand, because most handlers end before they could be cancelled. Ended stands for one that is let go of.
    private HandlerCancellation? _cancellation;
    private IServiceScope? _scope;

    private CancellationToken _callerGone;
    private Activity? _activity;
    private HandlingAttempts? _attempts;
    private HandlerServices? _services;
    private volatile bool _isContainerGone;

    // What happened in full, for the log and the report; null when the caller learns it all.
    private string? _reason;
    private long _started;
    private volatile bool _hasStarted;
    private byte _isTaken;
    private byte _isEntered;

    internal Delivery(Subscription subscription, Message message, HandlerGate.Ticket ticket)
        : base(message)
    {
        Subscription = subscription;
        _admission = ticket;
    }

    internal Delivery(Subscription subscription, Message message, ReplyMessage refusal)
        : base(message)
    {
        Subscription = subscription;
        _admission = refusal;
    }

    /// <summary>What it was offered to.</summary>
    public Subscription Subscription { get; }

    /// <summary>Why it was refused; null when it was accepted.</summary>
    public ReplyMessage? Refusal => _admission as ReplyMessage;

    /// <summary>True when a place is taken.</summary>
    public bool IsAccepted => _admission is HandlerGate.Ticket;

    /// <inheritdoc/>
    public override string? Group => Subscription.Group;

    /// <inheritdoc/>
    public override string NodeId => Receiver.NodeId;

    /// <inheritdoc/>
    public override IServiceBus Bus => Receiver.Pipeline.Bus;

    /// <inheritdoc/>
    public override TimeSpan Remaining
    {
        get
        {
            var least = Limit().Limit;
            return least > TimeSpan.Zero ? least : TimeSpan.Zero;
        }
    }

    /// <inheritdoc/>
    public override CancellationToken CancellationToken => Cancellation().Token;

    /// <inheritdoc/>
    public override IServiceProvider Services => _services ?? MakeServices();

    /// <summary>What the handler threw, for the log and the report.</summary>
    internal Exception? Exception { get; set; }

    /// <summary>True when a step of the application sees the reply, and may keep it.</summary>
    internal bool ReplyIsSeen => Receiver.Pipeline.HasSteps;

    private HandlerGate.Ticket Ticket => (HandlerGate.Ticket)_admission;

    private Receiver Receiver => Subscription.Receiver;

    private TimeSpan OwnTimeLeft => Subscription.Timeout - Receiver.Clock.GetElapsedTime(_started);

    /// <summary>
    /// Waits for the turn, handles the message and says how it ended. Never throws for what a handler does: every outcome is a
    /// reply. A handler does not start when the caller has gone, the deadline has passed or the node has stopped waiting; the reply
    /// is then marked as not processed. For a signal the reply only tells the outcome; failures have been reported already.
    /// </summary>
    /// <param name="callerGone">Fires when the caller is known to have stopped waiting.</param>
    /// <exception cref="InvalidOperationException">It was refused, or has been run or withdrawn.</exception>
    public ValueTask<ReplyMessage> RunAsync(CancellationToken callerGone = default)
    {
        TakeOnce();
        _callerGone = callerGone;
        return Ticket.Turn is { IsCompleted: false } turn ? RunAtTurnAsync(turn) : RunNow();
    }

    /// <summary>Gives the place back without handling: another member of the group has the message.</summary>
    /// <exception cref="InvalidOperationException">It was refused, or has been run or withdrawn.</exception>
    public void Withdraw()
    {
        TakeOnce();
        GiveBackPlace();
    }

    /// <summary>
    /// No handler takes this refused message and no caller will hear of it: a signal, or a group's copy of a request that another
    /// group answers. Counts, logs and reports the loss.
    /// </summary>
    public void ReportLoss() => Receiver.Errors.ReportLoss("refused", Message, Refusal!.Status, Refusal.Error!, Group);

    /// <summary>
    /// The innermost step is about to handle the message. When it has been called before, the handler begins anew: with services, status
    /// and reply headers that the attempt before has not touched.
    /// </summary>
    internal void BeginAttempt()
    {
        if (_attempts is null)
        {
            _attempts = new(Status, ReplyHeaders);
            return;
        }

        (Status, ReplyHeaders) = (_attempts.Status, _attempts.ReplyHeaders);
        if (Volatile.Read(ref _scope) is { } used and not EndedScope)
        {
            // Disposed at the end with the others: a step may still hold services of it.
            _attempts.Scopes.Add(used);
            Interlocked.CompareExchange(ref _scope, null, used);
        }
    }

    /// <summary>
    /// The message is decoded and the handler is about to be called. False, with the answer, when time was up meanwhile.
    /// </summary>
    internal bool TryEnterHandler([NotNullWhen(false)] out ReplyMessage? refusal)
    {
        // Said before it is checked, and read in the other order by AnswerInTimeAsync: a handler that is called never counts as
        // not processed, whichever comes first.
        var entered = Interlocked.Exchange(ref _isEntered, (byte)1);
        var now = Receiver.Clock.GetTimestamp();
        var cause = WhyNotToStart(now) ?? (HasRunOut(now) ? Cause.HandlerTimeout : null);
        if (cause is null)
        {
            refusal = null;
            return true;
        }

        Volatile.Write(ref _isEntered, entered);
        refusal = GiveUpReply(cause.Value);
        return false;
    }

    /// <summary>The handler of a class, from the scope of this message.</summary>
    /// <exception cref="ReplyException">The application's container has been disposed; the handler does not run.</exception>
    internal object Resolve(Type handlerType, string? key)
    {
        try
        {
            var services = (Volatile.Read(ref _scope) ?? MakeScope()).ServiceProvider;
            return key is null ? services.GetRequiredService(handlerType) : services.GetRequiredKeyedService(handlerType, key);
        }
        catch (ObjectDisposedException failure) when (IsOfContainer(failure))
        {
            Volatile.Write(ref _isEntered, (byte)0);
            throw ContainerIsGone(failure);
        }
    }

    /// <summary>The scope of the handler; made when it is first asked for.</summary>
    /// <exception cref="OperationCanceledException">The application's container has been disposed while the handler runs.</exception>
    internal IServiceScope ScopeOfHandler()
    {
        try
        {
            return Volatile.Read(ref _scope) ?? MakeScope();
        }
        catch (ObjectDisposedException failure) when (IsContainerGone(failure))
        {
            throw CancelledBy(failure);
        }
    }

    /// <summary>True when the handler runs, and its application's container does not any longer.</summary>
    internal bool IsContainerGone(ObjectDisposedException failure) => IsOfContainer(failure) && Volatile.Read(ref _scope) is not EndedScope;

    /// <summary>What a handler is told when the container is gone; the message then ends as unavailable.</summary>
    internal OperationCanceledException CancelledBy(ObjectDisposedException failure)
    {
        _isContainerGone = true;
        return new(ContainerIsGone(failure).Message, failure, CancellationToken);
    }

    private async ValueTask<ReplyMessage> RunAtTurnAsync(Task turn)
    {
        try
        {
            await turn.WaitAsync(Cancellation().Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Why it gave up in the queue is found where every start is checked.
        }

        return await RunNow().ConfigureAwait(false);
    }

    private ValueTask<ReplyMessage> RunNow()
    {
        try
        {
            _started = Receiver.Clock.GetTimestamp();
            if (WhyNotToStart(_started) is { } cause)
            {
                GiveBackPlace();
                return new(NotStarted(cause));
            }

            RestartToken();
            var handling = HandleAsync();
            return handling.IsCompletedSuccessfully ? new(Settle(handling.Result)) : AnswerInTimeAsync(handling.AsTask());
        }
        catch (Exception failure)
        {
            return new(TelemetryThrew(failure));
        }
    }

    // The reply goes out when time is up; the place stays taken until the handler has really ended.
    private async ValueTask<ReplyMessage> AnswerInTimeAsync(Task<ReplyMessage> handling)
    {
        try
        {
            var cancellation = Cancellation();
            try
            {
                return Settle(await handling.WaitAsync(cancellation == Ended ? default : cancellation.Token).ConfigureAwait(false));
            }
            catch (OperationCanceledException) when (cancellation.Token.IsCancellationRequested)
            {
                var gaveUp = Receiver.Clock.GetTimestamp();
                _ = handling.ContinueWith(
                    _ => LogOverrun(gaveUp), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
                return Settle(GiveUpReply(cancellation.Reason));
            }
        }
        catch (Exception failure)
        {
            return TelemetryThrew(failure);
        }
    }

    // Runs to the handler's own end, whether or not its reply still counts, and then gives the place to the next message.
    private async ValueTask<ReplyMessage> HandleAsync()
    {
        CleanContext.Enter();
        IDisposable? logScope = null;
        try
        {
            if (ReportScope.Includes(Message))
            {
                ReportScope.Enter();
            }

            _activity = Receiver.Telemetry.StartProcess(Message, Subscription.Pattern, Group);
            logScope = BeginLogScope();
            if (Subscription.Definition.NeedsScope)
            {
                MakeScopeOrRefuse();
            }

            var reply = Subscription.AuthorizationPolicies.Count == 0 || await RefuseCallerAsync().ConfigureAwait(false) is not { } refusal
                ? await Subscription.Handle(this).ConfigureAwait(false)
                : refusal;
            return WhyGivenUp() is { } cause ? GiveUpReply(cause) : WithinLimit(reply);
        }
        catch (Exception failure) when (WhyGivenUp() is { } cause)
        {
            // The cause is the outcome, whatever the cancelled work threw; the caller is told the same.
            Exception = failure is OperationCanceledException ? null : failure;
            return GiveUpReply(cause);
        }
        catch (ReplyException failure)
        {
            // An answer like any other: only its cause is an exception. From a middleware it means that no handler ran.
            Exception = failure.InnerException;
            return new()
            {
                Status = failure.Status,
                Error = ExceptionText.Cut(failure.Message, ReplyMessage.MaxErrorCharacters),
                NotProcessed = !HasEntered,
                IsOfHandler = HasEntered,
            };
        }
        catch (Exception failure) when (
            _isContainerGone || (Receiver.State.IsDraining && failure is ObjectDisposedException disposed && IsOfContainer(disposed)))
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, ContainerIsGone(null).Message, notProcessed: !HasEntered);
        }
        catch (Exception failure)
        {
            Exception = failure;
            var what = HasEntered ? "The handler" : "A step around the handler (IHandlerMiddleware)";
            return Threw($"{what} of '{Subscription.Pattern}'", failure, notProcessed: !HasEntered);
        }
        finally
        {
            EndToken();
            _services = null;
            if (Interlocked.Exchange(ref _scope, EndedScope.Instance) is { } scope)
            {
                await DisposeAsync(scope).ConfigureAwait(false);
            }

            foreach (var earlier in _attempts?.Scopes ?? [])
            {
                await DisposeAsync(earlier).ConfigureAwait(false);
            }

            GiveBackPlace();
            logScope?.Dispose();
        }
    }

    // Here for every transport: one that forgets to say who the caller is must not run the handler for all of them.
    private ValueTask<ReplyMessage?> RefuseCallerAsync() =>
        Message.Caller is { } caller
            ? caller.RefuseAsync(Topic, Subscription.AuthorizationPolicies)
            : new(ReplyMessage.Failure(
                StatusCode.Forbidden, $"'{Topic}' demands authorization, and the transport does not say who the caller is.",
                notProcessed: true));

    // What a handler of log entries logs, or what handling one logs, is not published in turn.
    private IDisposable? BeginLogScope()
    {
        if (ReservedTopics.IsLog(Topic))
        {
            MeshLog.BeQuiet();
        }

        return Receiver.Logger.IsEnabled(LogLevel.Critical) ? Receiver.Logger.BeginScope(new HandlingScope(Message, _activity)) : null;
    }

    private bool HasEntered => Volatile.Read(ref _isEntered) == 1;

    private void TakeOnce()
    {
        if (!IsAccepted || Interlocked.Exchange(ref _isTaken, (byte)1) == 1)
        {
            throw new InvalidOperationException(
                $"The delivery on '{Message.Topic}' {(IsAccepted ? "has been run or withdrawn before" : "was refused")}. " +
                "Run or withdraw an accepted delivery once.");
        }
    }

    // The only place where a place in the gate is given back.
    private void GiveBackPlace()
    {
        EndToken();
        if (!Subscription.Gate.TryAbandon(Ticket))
        {
            Subscription.Gate.Leave();
        }
    }

    // Looks at everything that makes handling pointless, without making a token for it.
    private Cause? WhyNotToStart(long now)
    {
        if (_cancellation is { Token.IsCancellationRequested: true } fired)
        {
            return fired.Reason;
        }

        return _callerGone.IsCancellationRequested ? Cause.CallerGone
            : Receiver.State.Stopping.IsCancellationRequested ? Cause.Stopping
            : Message.Deadline.HasPassedAt(now, Receiver.Clock) ? Cause.Deadline
            : null;
    }

    // A handler that kept its thread and never looked at its token may be out of time all the same.
    private Cause? WhyGivenUp()
    {
        if (_cancellation is { } cancellation)
        {
            return cancellation.Token.IsCancellationRequested ? cancellation.Reason : null;
        }

        var now = Receiver.Clock.GetTimestamp();
        return Message.Deadline.HasPassedAt(now, Receiver.Clock) ? Cause.Deadline
            : HasRunOut(now) ? Cause.HandlerTimeout
            : null;
    }

    private bool HasRunOut(long now) => Receiver.Clock.GetElapsedTime(_started, now) >= Subscription.Timeout;

    private ReplyMessage GiveUpReply(Cause cause)
    {
        var (status, error) = cause switch
        {
            Cause.Stopping => (StatusCode.Unavailable, $"Node '{NodeId}' shut down before it had handled '{Topic}'."),
            Cause.CallerGone => (StatusCode.DeadlinePassed, $"The caller of '{Topic}' has stopped waiting."),
            Cause.Deadline => (StatusCode.DeadlinePassed, $"The caller's deadline passed before '{Topic}' was handled."),
            _ => (
                StatusCode.HandlerTimeout,
                $"The handler of '{Subscription.Pattern}' ran longer than its timeout of {Subscription.Timeout}."),
        };
        return ReplyMessage.Failure(status, error, notProcessed: !HasEntered);
    }

    // The text of an exception may hold what a caller must not see: a card number, a connection string.
    private ReplyMessage Threw(string what, Exception failure, bool notProcessed)
    {
        _reason = $"{what} threw {ExceptionText.Brief(failure)}";
        return ReplyMessage.Failure(
            StatusCode.HandlerFailed, Receiver.Details == ErrorDetails.Message ? _reason : Reference(what), notProcessed);
    }

    private string Reference(string what)
    {
        var trace = TraceReference.Of(_activity, Message.Headers).TraceId;
        return $"{what} failed. Its log and its error report say why; look for message {Message.Id}"
            + (trace is null ? "." : $", trace {trace}.");
    }

    private ReplyMessage WithinLimit(ReplyMessage reply) => reply.BodyLength <= Receiver.Bodies.MaxBytes
        ? reply
        : ReplyMessage.Failure(
            StatusCode.BodyTooLarge,
            $"The reply has {reply.BodyLength} bytes; {Receiver.Bodies.MaxBytes} are allowed. " +
            $"Answer with less, or raise {Receiver.Bodies.Key} on all nodes.");

    // Accepted, and not handled: the caller, the deadline or the node did not wait for the start.
    private ReplyMessage NotStarted(Cause cause)
    {
        var reply = GiveUpReply(cause);
        Receiver.Telemetry.Rejected(Subscription.Pattern, "gave-up-queued");
        if (Message.Kind == MessageKind.Signal)
        {
            Receiver.Errors.CountLoss("gave-up-queued", Topic.ToString(), reply.Error!, Sender);
        }

        LogAndReport(reply);
        return reply;
    }

    private ReplyMessage Settle(ReplyMessage reply)
    {
        try
        {
            if (reply.Status.IsFailure)
            {
                // So that the log line belongs to the span of the handler.
                Telemetry.Enter(_activity);
                LogAndReport(reply);
            }
        }
        finally
        {
            Receiver.Telemetry.EndProcess(_activity, _started, Subscription.Pattern, Group, reply.Status, Exception);
        }

        return reply;
    }

    private void LogAndReport(ReplyMessage reply)
    {
        var level = reply.Status switch
        {
            StatusCode.DeadlinePassed => LogLevel.Debug, // the caller's node says so itself
            StatusCode.HandlerTimeout or StatusCode.Unavailable => LogLevel.Warning,
            _ when Exception is null => LogLevel.Information, // the handler meant it
            _ => LogLevel.Warning,
        };
        var reason = _reason ?? reply.Error ?? "";
        if (Receiver.Logger.IsEnabled(level))
        {
            var logged = Exception is MalformedBodyException ? null : Exception; // it quotes the body
            var (sender, id, said) = (Printable.Line(Sender), Printable.Line(Message.Id.ToString()), Printable.Detail(reason));
            var trace = TraceReference.Of(_activity, Message.Headers).TraceId ?? "none";
            using var quiet = ReservedTopics.IsLog(Topic) ? MeshLog.BeQuiet() : default;
            Log.HandlingFailed(Receiver.Logger, level, Topic, sender, (int)reply.Status, said, id, trace, logged);
        }

        if (Message.Kind == MessageKind.Signal || !reply.IsReportedByCaller)
        {
            Receiver.Errors.Report(Message, reply.Status, reason, Group, Exception, _activity);
        }
    }

    private void LogOverrun(long gaveUp)
    {
        var late = Receiver.Clock.GetElapsedTime(gaveUp);
        if (late > s_timeToNotice || Exception is not null)
        {
            Log.HandlerOverran(Receiver.Logger, Topic, Printable.Line(Sender), late, Exception);
        }
    }

    // Only what listens to the bus can throw here: a logger, a span or metric listener. The caller is told, and a transport goes on.
    private ReplyMessage TelemetryThrew(Exception failure) =>
        Threw($"Logging or telemetry of node '{NodeId}'", failure, notProcessed: false);

    private HandlerCancellation Cancellation()
    {
        if (Volatile.Read(ref _cancellation) is { } known)
        {
            return known;
        }

        // In the queue the handler's own time does not count yet.
        var (limit, whenTimeIsUp) = !_hasStarted ? (Message.Deadline.Remaining, Cause.Deadline) : Limit();
        var made = new HandlerCancellation(limit, whenTimeIsUp, Receiver.Clock, _callerGone, Receiver.State.Stopping);
        if (Interlocked.CompareExchange(ref _cancellation, made, null) is not { } other)
        {
            return made;
        }

        made.Dispose();
        return other;
    }

    // The token of the queue knows nothing of the handler's timeout, which counts from now on.
    private void RestartToken()
    {
        _hasStarted = true;
        if (_cancellation is { } ofQueue)
        {
            var (limit, whenTimeIsUp) = Limit();
            ofQueue.Restart(limit, whenTimeIsUp);
        }
    }

    private (TimeSpan Limit, Cause WhenTimeIsUp) Limit()
    {
        var (callers, own) = (Message.Deadline.Remaining, OwnTimeLeft);
        return callers < own ? (callers, Cause.Deadline) : (own, Cause.HandlerTimeout);
    }

    private void EndToken()
    {
        if (Interlocked.Exchange(ref _cancellation, Ended) is { } cancellation && cancellation != Ended)
        {
            cancellation.Dispose();
        }
    }

    // A handler that keeps its services behind its end is told so when it reads this again.
    private HandlerServices MakeServices()
    {
        _ = ScopeOfHandler().ServiceProvider;
        return _services = new(this);
    }

    private IServiceScope MakeScope()
    {
        var made = Receiver.Pipeline.CreateScope();
        if (Interlocked.CompareExchange(ref _scope, made, null) is not { } other)
        {
            return made;
        }

        made.Dispose();
        return other;
    }

    private void MakeScopeOrRefuse()
    {
        try
        {
            MakeScope();
        }
        catch (ObjectDisposedException failure) when (IsOfContainer(failure))
        {
            throw ContainerIsGone(failure);
        }
    }

    private ReplyException ContainerIsGone(ObjectDisposedException? failure) => new(
        StatusCode.Unavailable, $"Node '{NodeId}' is shutting down: the services of its application have been disposed.", failure);

    private static bool IsOfContainer(ObjectDisposedException failure) => failure.ObjectName == nameof(IServiceProvider);

    private async ValueTask DisposeAsync(IServiceScope scope)
    {
        try
        {
            if (scope is IAsyncDisposable disposable)
            {
                await disposable.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                scope.Dispose();
            }
        }
        catch (Exception failure)
        {
            // The answer stands; a dispose that throws is the application's defect and must be seen.
            Log.ScopeDisposeFailed(Receiver.Logger, Topic.ToString(), Printable.Line(Sender), failure);
        }
    }

    /// <summary>What the first attempt of a handler found, and the scopes of the attempts before the last; where there are steps.</summary>
    private sealed record HandlingAttempts(StatusCode Status, Headers ReplyHeaders)
    {
        public List<IServiceScope> Scopes { get; } = [];
    }

    /// <summary>Stands for the scope of a handler that has ended.</summary>
    private sealed class EndedScope : IServiceScope
    {
        public static readonly EndedScope Instance = new();

        public IServiceProvider ServiceProvider =>
            throw new ObjectDisposedException(nameof(HandlerContext), "The handler has ended, and its services have been disposed.");

        public void Dispose() { }
    }
}
