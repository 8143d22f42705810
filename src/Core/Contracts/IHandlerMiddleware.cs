namespace ServiceMesh;

/// <summary>
/// A step around every handler of a bus: between admission and decoding, and back. It may look at the message, refuse
/// it with a reply of its own, or look at how the handler ended. One instance serves all messages: thread-safe.
/// Steps run in the order in which they were added.
/// </summary>
/// <remarks>
/// A step may call the next one again after a call has ended, to try again. The handler then begins anew: with a new scope of services
/// (<see cref="HandlerContext.Services"/>), a new object of its class, and status and reply headers as they were before the first call.
/// Do not call the next one while another call runs: the attempts would share one context. To refuse, or when it throws anything before
/// it calls the next one, the caller knows that no handler ran.
/// </remarks>
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
