namespace ServiceMesh.Testing;

/// <summary>
/// The step before the transport of a bus under test: keeps what leaves, and lets fail what the test wants to fail. The topics of the bus
/// itself pass. Thread-safe.
/// </summary>
internal sealed class TestStep(SentMessages sent, MeshFailures failures, IMessageSerializer[] serializers, TimeProvider clock)
    : ISendMiddleware
{
    public ValueTask<ReplyMessage> RequestAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
    {
        if (ReservedTopics.IsReserved(request.Topic))
        {
            return next(request, cancellationToken);
        }

        Record(request);
        return failures.Next(request) is { } failure
            ? failure.RequestAsync(request, next, clock, cancellationToken)
            : next(request, cancellationToken);
    }

    public ValueTask<SignalResult> SignalAsync(
        Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, CancellationToken cancellationToken)
    {
        if (ReservedTopics.IsReserved(signal.Topic))
        {
            return next(signal, cancellationToken);
        }

        Record(signal);
        return failures.Next(signal) is { } failure
            ? failure.SignalAsync(signal, next, clock, cancellationToken)
            : next(signal, cancellationToken);
    }

    // What writes a body reads it.
    private void Record(Message message) =>
        sent.Add(new(message, Array.Find(serializers, serializer => serializer.ContentType == message.ContentType)));
}
