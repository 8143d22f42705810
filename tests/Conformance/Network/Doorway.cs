namespace ServiceMesh.Conformance;

/// <summary>
/// A middleware that holds the first message until its token has fired and then passes it on, so its handler would start too late.
/// Further messages pass at once.
/// </summary>
internal sealed class Doorway : IHandlerMiddleware
{
    private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ReplyMessage> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the first message has reached the middleware.</summary>
    public Task Entered => _entered.Task.InTime();

    /// <summary>How the first message ended.</summary>
    public Task<ReplyMessage> Outcome => _outcome.Task.InTime();

    public async ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
    {
        if (!_entered.TrySetResult())
        {
            return await next(context);
        }

        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = context.CancellationToken.Register(fired.SetResult);
        await fired.Task.InTime();
        var reply = await next(context);
        _outcome.SetResult(reply);
        return reply;
    }
}
