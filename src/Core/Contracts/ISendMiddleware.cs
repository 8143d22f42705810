namespace ServiceMesh;

/// <summary>
/// A step around everything a bus sends: after encoding, before the transport, and back. It may change headers
/// (<c>message with { Headers = … }</c>), answer itself, or look at the outcome. One instance serves all messages:
/// thread-safe. Steps run in the order in which they were added.
/// </summary>
/// <remarks>
/// A step may call the next one again, one after the other or at once: to try again, or to hedge. Each call is an attempt of its own on
/// every transport, with a message id of its own behind the first, and handlers may run for each. What a step throws before it calls
/// the next one ends the message as not processed.
/// </remarks>
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
