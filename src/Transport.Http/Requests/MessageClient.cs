using System.Runtime.CompilerServices;

namespace ServiceMesh.Http;

/// <summary>Requests of the bus through the layers of the client, until their answer, their deadline or the end of this node.</summary>
internal sealed class MessageClient(ClientStack<ReplyMessage> layers, MessageSender sender, CancellationToken stopping)
{
    /// <summary>Sends a request to one of those who handle its topic.</summary>
    /// <exception cref="OperationCanceledException">The token fired, as it does at the deadline too.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ReplyMessage> SendAsync(Message request, RequestRoute route, Routes routes, CancellationToken cancellationToken)
    {
        var call = new MessageCall(request, route, routes, sender);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
        try
        {
            return call.Complete(await layers.SendAsync(call, either.Token).ConfigureAwait(false));
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
