using Microsoft.Extensions.Logging;

namespace ServiceMesh.Transports;

/// <summary>
/// One message that was offered to one subscription. Accepted: call <see cref="RunAsync"/> or <see cref="Withdraw"/>,
/// exactly once. Refused: answer a request with <see cref="Refusal"/>, or call <see cref="ReportLoss"/> when a signal
/// has no other taker.
/// </summary>
public sealed class Delivery
{
    // A handler that takes longer than this to notice its cancellation token does not look at it.
    private static readonly TimeSpan s_timeToNotice = TimeSpan.FromSeconds(1);

    private readonly HandlerGate.Ticket? _ticket;

    internal Delivery(Subscription subscription, Message message, HandlerGate.Ticket ticket)
    {
        Subscription = subscription;
        Message = message;
        _ticket = ticket;
    }

    internal Delivery(Subscription subscription, Message message, ReplyMessage refusal)
    {
        Subscription = subscription;
        Message = message;
        Refusal = refusal;
    }

    private Node Node => Subscription.Node;

    /// <summary>What it was offered to.</summary>
    public Subscription Subscription { get; }

    /// <summary>What was offered.</summary>
    public Message Message { get; }

    /// <summary>Why it was refused; null when it was accepted.</summary>
    public ReplyMessage? Refusal { get; }

    /// <summary>True when a place is taken.</summary>
    public bool IsAccepted => Refusal is null;

    /// <summary>
    /// Waits for the turn, handles the message and says how it ended. Never throws: every outcome is a reply.
    /// For a signal the reply only tells the outcome; failures have been reported already.
    /// </summary>
    /// <param name="callerGone">Fires when the caller is known to wait no more.</param>
    public async ValueTask<ReplyMessage> RunAsync(CancellationToken callerGone = default)
    {
        try
        {
            var context = new HandlerContext(this, callerGone);
            if (!_ticket!.Turn.IsCompleted && await WaitForTurnAsync(context).ConfigureAwait(false) is { } gaveUp)
            {
                return gaveUp;
            }

            if (Message.Deadline.HasPassed)
            {
                // The last moment at which it is certain that nothing has run: this process may have stood still since it arrived.
                return await GiveUpUnstartedAsync(
                    context, ReplyMessage.Failure(StatusCode.DeadlinePassed, "The caller's deadline had passed before the handler ran.", notProcessed: true)).ConfigureAwait(false);
            }

            using var operation = Node.Telemetry.StartProcess(this);
            context.Start();
            var handling = Subscription.HandleAsync(context);
            var reply = handling.IsCompletedSuccessfully
                ? handling.Result
                : await HandleWithinTimeAsync(handling.AsTask(), context).ConfigureAwait(false);
            operation.End(reply.Status, context.Exception);
            Settle(reply, context.Exception);
            return reply;
        }
        catch (Exception failure)
        {
            // Only what listens to the bus can throw here: a logger, a span or metric listener. There is nobody left to
            // tell but the caller, and a transport must not be brought down by it.
            return ReplyMessage.Failure(StatusCode.HandlerFailed, $"Logging or telemetry of node '{Node.Id}' threw {ExceptionText.Brief(failure)}");
        }
    }

    /// <summary>Gives the place back without handling: another member of the group has the message.</summary>
    public void Withdraw()
    {
        if (!Subscription.Gate.TryAbandon(_ticket!))
        {
            Subscription.Gate.Leave();
        }
    }

    /// <summary>
    /// Nobody takes this refused message and nobody will be told: a signal, or a group's copy of a request that another
    /// group answers. Counts, logs and reports the loss.
    /// </summary>
    public void ReportLoss()
    {
        Node.ReportLoss("refused", Message.Topic.ToString(), Refusal!.Error!, Message.Sender);
        Node.Errors.Report(Message, Refusal.Status, Refusal.Error!, Subscription.Group, null);
    }

    // Null when the turn has come; otherwise how the wait ended.
    private async Task<ReplyMessage?> WaitForTurnAsync(HandlerContext context)
    {
        try
        {
            await _ticket!.Turn.WaitAsync(context.TokenWhileQueued).ConfigureAwait(false);
            return null;
        }
        catch (OperationCanceledException)
        {
            return await GiveUpUnstartedAsync(context, context.GiveUpReply(notProcessed: true)).ConfigureAwait(false);
        }
    }

    private async Task<ReplyMessage> GiveUpUnstartedAsync(HandlerContext context, ReplyMessage reply)
    {
        // When the turn came at the same moment, it is passed on: nothing is handled that nobody waits for.
        if (!Subscription.Gate.TryAbandon(_ticket!))
        {
            Subscription.Gate.Leave();
        }

        Node.Telemetry.Rejected(Subscription, "gave-up-queued");
        if (Message.Kind == MessageKind.Signal)
        {
            Node.ReportLoss("gave-up-queued", Message.Topic.ToString(), reply.Error!, Message.Sender);
        }

        Settle(reply, null);
        await context.EndAsync().ConfigureAwait(false);
        return reply;
    }

    // The reply goes out when time is up; the place stays taken until the handler has really ended.
    private async Task<ReplyMessage> HandleWithinTimeAsync(Task<ReplyMessage> handling, HandlerContext context)
    {
        try
        {
            return await handling.WaitAsync(context.TokenUntilEnded).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            var gaveUp = Node.Clock.GetTimestamp();
            _ = handling.ContinueWith(
                _ => LogOverrun(gaveUp, context.Exception),
                CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            return context.GiveUpReply();
        }
    }

    private void LogOverrun(long gaveUp, Exception? exception)
    {
        var late = Node.Clock.GetElapsedTime(gaveUp);
        if (late > s_timeToNotice || exception is not null)
        {
            Log.HandlerOverran(Node.Logger, Message.Topic, Message.Sender, late, exception);
        }
    }

    private void Settle(ReplyMessage reply, Exception? exception)
    {
        if (!reply.Status.IsFailure)
        {
            return;
        }

        var level = reply.Status switch
        {
            StatusCode.DeadlinePassed => LogLevel.Debug, // a caller that left says so itself
            StatusCode.HandlerTimeout or StatusCode.Unavailable => LogLevel.Warning,
            _ when exception is null => LogLevel.Information, // the handler meant it
            _ => LogLevel.Warning,
        };
        Log.HandlingFailed(Node.Logger, level, Message.Topic, Message.Sender, (int)reply.Status, exception is MalformedBodyException ? null : exception); // it quotes the body
        if (Message.Kind == MessageKind.Signal || !reply.IsReportedByCaller)
        {
            Node.Errors.Report(Message, reply.Status, reply.Error ?? "", Subscription.Group, exception);
        }
    }
}
