namespace ServiceMesh.Http;

/// <summary>
/// What an endpoint refused or never got goes to one that was not tried: a full or leaving member leaves its work to the
/// others. Only what is certain not to have been processed, so nothing runs twice.
/// </summary>
internal sealed class Elsewhere(ILayer next) : ILayer
{
    public async ValueTask<ReplyMessage> SendAsync(Call call, CancellationToken cancellationToken)
    {
        ReplyMessage? best = null;
        while (true)
        {
            var reply = await next.SendAsync(call, cancellationToken).ConfigureAwait(false);
            if (call.IsExhausted)
            {
                return best ?? reply;
            }

            if (!reply.NotProcessed || Rank(reply) == 0)
            {
                return reply;
            }

            best = best is null || Rank(reply) > Rank(best) ? reply : best;
        }
    }

    // What is most worth knowing when all refuse; 0 for what another endpoint would say as well.
    private static int Rank(ReplyMessage refusal) => refusal.Status switch
    {
        StatusCode.Overloaded => 3,
        StatusCode.Unavailable => 2,
        StatusCode.NotFound => 1,
        _ => 0,
    };
}
