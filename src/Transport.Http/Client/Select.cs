namespace ServiceMesh.Http;

/// <summary>Chooses the endpoint of an attempt, and counts the attempt as in flight there until its answer has been read.</summary>
internal sealed class Select(ILayer next) : ILayer
{
    public async ValueTask<ReplyMessage> SendAsync(Call call, CancellationToken cancellationToken)
    {
        if (!call.TrySelect())
        {
            return call.NobodyCanTake();
        }

        var endpoint = call.Endpoint;
        try
        {
            return await next.SendAsync(call, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            endpoint.End();
        }
    }
}
