namespace ServiceMesh;

/// <summary>
/// A step around everything a bus sends: after encoding, before the transport, and back. It may change headers
/// (<c>message with { Headers = … }</c>), answer itself, or look at the outcome. One instance serves all messages:
/// thread-safe. Steps run in the order in which they were added.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Middleware.cs" region="send-middleware" />
/// </example>
public interface ISendMiddleware
{
    /// <summary>Sends a request, usually by calling <paramref name="next"/> once. Default: just that.</summary>
    ValueTask<ReplyMessage> RequestAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        return next(request, cancellationToken);
    }

    /// <summary>Sends a signal, usually by calling <paramref name="next"/> once. Default: just that.</summary>
    ValueTask<SignalResult> SignalAsync(
        Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        return next(signal, cancellationToken);
    }
}
