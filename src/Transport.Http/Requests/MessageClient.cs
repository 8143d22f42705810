using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>Sends requests of the bus through the pipeline, until their reply, their deadline or the end of this node.</summary>
internal sealed class MessageClient(ClientPipeline<ReplyMessage> pipeline, MessageSender sender, CancellationToken stopping)
{
    /// <summary>Sends a request to one of the endpoints that handle its topic.</summary>
    /// <exception cref="OperationCanceledException">The token fired, which it does at the deadline too.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReplyMessage> SendAsync(Message request, RequestRoute route, Routes routes, CancellationToken cancellationToken)
    {
        var call = new MessageCall(request, route, routes, sender);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
        try
        {
            return call.Complete(await pipeline.SendAsync(call, either.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ReplyMessage.Failure(
                StatusCode.Unavailable, "The bus stopped before the reply arrived. It is not known whether a handler ran.");
        }
        catch (OperationCanceledException)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }
}
