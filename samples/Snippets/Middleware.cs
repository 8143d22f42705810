using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ServiceMesh;

namespace Snippets;

#region handler-middleware
public sealed partial class SlowHandlers(ILogger<SlowHandlers> logger, TimeProvider clock) : IHandlerMiddleware
{
    public async ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
    {
        var started = clock.GetTimestamp();
        try
        {
            return await next(context);
        }
        finally
        {
            var elapsed = clock.GetElapsedTime(started);
            if (elapsed > TimeSpan.FromSeconds(1))
            {
                LogSlow(context.Topic, elapsed);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Topic} took {Elapsed}")]
    private partial void LogSlow(Topic topic, TimeSpan elapsed);
}
#endregion

/// <summary>A secret that all nodes of one mesh know.</summary>
public sealed record MeshKey(string Value);

#region refuse
public sealed class RequireKey(MeshKey key) : IHandlerMiddleware
{
    private readonly byte[] _key = Encoding.UTF8.GetBytes(key.Value);

    public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(context.Headers["mesh-key"] ?? ""), _key)
            ? next(context)
            : new(ReplyMessage.Failure(StatusCode.Unauthorized, "The header 'mesh-key' is missing or wrong.", notProcessed: true));
}
#endregion

#region send-middleware
public sealed class SendKey(MeshKey key) : ISendMiddleware
{
    public ValueTask<ReplyMessage> RequestAsync(
        Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken) =>
        next(Sign(request), cancellationToken);

    public ValueTask<SignalResult> SignalAsync(
        Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, CancellationToken cancellationToken) =>
        next(Sign(signal), cancellationToken);

    private Message Sign(Message message) => message with { Headers = message.Headers.With("mesh-key", key.Value) };
}
#endregion

public static class MiddlewareByExample
{
    public static IServiceMeshBuilder AddKey(this IServiceMeshBuilder mesh) => mesh
    #region add-middleware
        .AddSendMiddleware<SendKey>()
        .AddHandlerMiddleware<SlowHandlers>()
        .AddHandlerMiddleware<RequireKey>();
    #endregion
}
