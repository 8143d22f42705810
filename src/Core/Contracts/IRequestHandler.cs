namespace ServiceMesh;

/// <summary>
/// Answers requests. Resolved from a scope of its own for each message, so it may have scoped dependencies and need
/// not be thread-safe.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Handlers.cs" region="handler" />
/// </example>
public interface IRequestHandler<in TIn, TOut>
{
    /// <summary>
    /// Answers one request. Throw <see cref="ReplyException"/> to answer with a failing status; any other exception
    /// becomes 500 and an error report.
    /// </summary>
    /// <param name="request">The decoded body. Null only where the type of this parameter allows it (<c>string?</c>).</param>
    /// <param name="context">Topic, sender, headers, remaining time and the token to pass on.</param>
    Task<TOut> HandleAsync(TIn request, HandlerContext context);
}

/// <summary>
/// Receives signals. Resolved from a scope of its own for each message, so it may have scoped dependencies and need
/// not be thread-safe.
/// </summary>
public interface ISignalHandler<in T>
{
    /// <summary>Handles one signal. An exception becomes an error report; the sender does not wait for the outcome.</summary>
    /// <param name="signal">The decoded body. Null only where the type of this parameter allows it (<c>string?</c>).</param>
    /// <param name="context">Topic, sender, headers and the token to pass on.</param>
    Task HandleAsync(T signal, HandlerContext context);
}
