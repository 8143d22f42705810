using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>Sends requests of the bus through the pipeline, until their reply, their deadline or the end of this node.</summary>
/// <param name="pipeline">The pipeline, which ends all requests when this node stops.</param>
/// <param name="sender">Sends the attempts.</param>
internal sealed class MessageClient(ClientPipeline<ReplyMessage> pipeline, MessageSender sender)
{
    /// <summary>Sends a request to one of the endpoints that handle its topic.</summary>
    /// <exception cref="OperationCanceledException">The token fired, which it does at the deadline too.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReplyMessage> SendAsync(Message request, RequestRoute route, Routes routes, CancellationToken cancellationToken)
    {
        var call = new MessageCall(request, route, routes, sender);
        try
        {
            return call.Complete(await pipeline.SendAsync(call, cancellationToken).ConfigureAwait(false));
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
