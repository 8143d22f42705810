namespace ServiceMesh;

/// <summary>
/// A step around every handler of a bus: between admission and decoding, and back. It may look at the message, refuse
/// it with a reply of its own, or look at how the handler ended. One instance serves all messages: thread-safe.
/// Steps run in the order in which they were added.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Middleware.cs" region="handler-middleware" />
/// </example>
public interface IHandlerMiddleware
{
    /// <summary>
    /// Handles a message, usually by calling <paramref name="next"/> once. What the handler throws passes through here
    /// before it becomes a status. To refuse, throw <see cref="ReplyException"/> instead of calling it: the caller then
    /// knows that no handler ran.
    /// </summary>
    ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next);
}
