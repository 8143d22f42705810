namespace ServiceMesh.Testing;

/// <summary>What happens to a message instead of its delivery. Immutable.</summary>
internal abstract class FailureOnDemand
{
    public abstract ValueTask<ReplyMessage> RequestAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, TimeProvider clock,
        CancellationToken cancellationToken);

    public abstract ValueTask<SignalResult> SignalAsync(
        Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, TimeProvider clock,
        CancellationToken cancellationToken);

    /// <summary>The same beginning for each sentence, so that a failing test shows that its own failure was met.</summary>
    protected static string Sentence(Message message, string what) => $"The test lets '{message.Topic}' fail: {what}";
}

/// <summary>A failure that is known without sending.</summary>
internal abstract class ImmediateFailure : FailureOnDemand
{
    public sealed override ValueTask<ReplyMessage> RequestAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, TimeProvider clock,
        CancellationToken cancellationToken) => new(Answer(request));

    public sealed override ValueTask<SignalResult> SignalAsync(
        Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, TimeProvider clock,
        CancellationToken cancellationToken) => new(Outcome(signal));

    protected abstract ReplyMessage Answer(Message request);

    protected abstract SignalResult Outcome(Message signal);
}

internal sealed class MissingHandler : ImmediateFailure
{
    protected override ReplyMessage Answer(Message request) =>
        ReplyMessage.Failure(StatusCode.NotFound, Sentence(request, "no node handles it."), notProcessed: true);

    protected override SignalResult Outcome(Message signal) => new(0);
}

internal sealed class PassedDeadline : ImmediateFailure
{
    protected override ReplyMessage Answer(Message request) => ReplyMessage.Failure(StatusCode.DeadlinePassed, Text(request));

    protected override SignalResult Outcome(Message signal) => throw new ReplyException(StatusCode.DeadlinePassed, Text(signal));

    private static string Text(Message message) => Sentence(message, "the deadline passed.");
}

internal sealed class BrokenConnection : ImmediateFailure
{
    protected override ReplyMessage Answer(Message request) => ReplyMessage.Failure(StatusCode.Unavailable, Text(request));

    protected override SignalResult Outcome(Message signal) => throw new TransportException(Text(signal));

    private static string Text(Message message) => Sentence(message, "the connection broke.");
}

internal sealed class Refusal : ImmediateFailure
{
    protected override ReplyMessage Answer(Message request) =>
        ReplyMessage.Failure(StatusCode.Overloaded, Text(request), notProcessed: true);

    protected override SignalResult Outcome(Message signal) => new(0) { Failures = [Text(signal)] };

    private static string Text(Message message) => Sentence(message, "all handlers are busy.");
}

/// <summary>Planned for requests only.</summary>
internal sealed class FailedHandler(StatusCode status, string text) : ImmediateFailure
{
    protected override ReplyMessage Answer(Message request) => new() { Status = status, Error = text, IsOfHandler = true };

    protected override SignalResult Outcome(Message signal) => throw new NotSupportedException("A signal has no answer.");
}

internal sealed class LongWay(TimeSpan by) : FailureOnDemand
{
    public override async ValueTask<ReplyMessage> RequestAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        await Task.Delay(by, clock, cancellationToken).ConfigureAwait(false);
        return await next(request, cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask<SignalResult> SignalAsync(
        Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        await Task.Delay(by, clock, cancellationToken).ConfigureAwait(false);
        return await next(signal, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Planned for requests only.</summary>
internal sealed class LostReply : FailureOnDemand
{
    public override async ValueTask<ReplyMessage> RequestAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, TimeProvider clock,
        CancellationToken cancellationToken)
    {
        await next(request, cancellationToken).ConfigureAwait(false);
        return ReplyMessage.Failure(StatusCode.Unavailable, Sentence(request, "its answer was lost."));
    }

    public override ValueTask<SignalResult> SignalAsync(
        Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, TimeProvider clock,
        CancellationToken cancellationToken) => throw new NotSupportedException("A signal has no answer.");
}
