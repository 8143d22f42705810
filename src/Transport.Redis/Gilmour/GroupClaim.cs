using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// Claims the messages of one group for this node. It takes a place first and then claims, so that the node that wins the
/// claim can also run the handler. A place that is held for an open claim may come back, so a message without a place waits
/// for those claims: only a node that is truly full refuses. Thread-safe; messages are claimed in the order of calls.
/// </summary>
/// <param name="subscription">In a group.</param>
/// <param name="tryClaimAsync">True for the one member that may handle the message.</param>
internal sealed class GroupClaim(Subscription subscription, Func<Message, string, Task<bool>> tryClaimAsync)
{
    // At most so many messages wait while places are free but their turn has not come yet; further ones are refused.
    private const int MaxWaiting = 1024;

    private readonly Lock _lock = new();

    // Messages without a place, in order of arrival. A waiting message holds no resource besides its memory.
    private readonly Queue<TaskCompletionSource> _waiting = new();

    // Places that are held for claims whose outcome is not known.
    private int _open;

    // A member that was called and has not offered yet: no other member overtakes it.
    private bool _called;

    public Subscription Subscription => subscription;

    /// <summary>
    /// Claims one message. When Redis could not be asked for the claim, the outcome is a refusal and the place is free again.
    /// </summary>
    public async ValueTask<ClaimOutcome> ClaimAsync(Message message)
    {
        // Synchronous up to here for nearly all, which keeps the order of arrival.
        var mayOffer = MayOffer();
        if (!mayOffer.IsCompleted)
        {
            await mayOffer.ConfigureAwait(false);
        }

        Delivery? delivery = null;
        try
        {
            delivery = subscription.Offer(message);
        }
        finally
        {
            Offered(delivery is { IsAccepted: true }, wasCalled: mayOffer != Task.CompletedTask);
        }

        if (!delivery.IsAccepted)
        {
            return new(delivery, delivery.Refusal);
        }

        var won = false;
        try
        {
            won = await tryClaimAsync(message, subscription.Group!).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException or TransportException)
        {
            return new(null, ReplyMessage.Failure(
                StatusCode.Unavailable,
                $"Node '{subscription.NodeId}' could not ask Redis for the claim: {Printable.Line(failure.Message)}",
                notProcessed: true));
        }
        finally
        {
            if (!won)
            {
                delivery.Withdraw();
            }

            Settled();
        }

        return new(won ? delivery : null, null);
    }

    private Task MayOffer()
    {
        lock (_lock)
        {
            var isFull = !subscription.HasPlace;
            var mustQueue = _called || _waiting.Count > 0;
            // At most the places that are held for open claims can come back: further messages would wait in vain.
            if (isFull ? _waiting.Count >= _open : !mustQueue || _waiting.Count >= MaxWaiting)
            {
                return Task.CompletedTask;
            }

            var call = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(call);
            return call.Task;
        }
    }

    private void Offered(bool accepted, bool wasCalled)
    {
        TaskCompletionSource? next;
        lock (_lock)
        {
            _open += accepted ? 1 : 0;
            _called &= !wasCalled;
            next = NextNeedsLock();
        }

        next?.SetResult();
    }

    private void Settled()
    {
        TaskCompletionSource? next;
        lock (_lock)
        {
            _open--;
            next = NextNeedsLock();
        }

        next?.SetResult();
    }

    // The waiting message to call next; the caller does so outside the lock.
    private TaskCompletionSource? NextNeedsLock()
    {
        if (_waiting.Count == 0 || _called || (_open > 0 && !subscription.HasPlace))
        {
            return null;
        }

        _called = true;
        return _waiting.Dequeue();
    }
}

/// <summary>
/// The outcome of one claim: the delivery, accepted or refused, and the reply when it is refused. Both are null when another
/// member has the message; only the delivery is null when Redis could not be asked.
/// </summary>
internal readonly record struct ClaimOutcome(Delivery? Delivery, ReplyMessage? Refusal);
