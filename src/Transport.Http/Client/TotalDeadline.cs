namespace ServiceMesh.Http;

/// <summary>
/// The whole of a request: the caller's token, which fires at its deadline too, and the end of this node. Nothing below
/// outlives either.
/// </summary>
internal sealed class TotalDeadline(ILayer next, CancellationToken stopping) : ILayer
{
    public async ValueTask<ReplyMessage> SendAsync(Call call, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
        try
        {
            return await next.SendAsync(call, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ReplyMessage.Failure(StatusCode.Unavailable, "The bus stopped before the reply came. Whether a handler ran is not known.");
        }
        catch (OperationCanceledException)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }
}
