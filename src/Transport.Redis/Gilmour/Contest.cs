using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// This node in the contest for the messages of one group. It takes a place first and then claims, so that who wins can
/// also run. A place that is held for an open claim may come back, so a message that finds none waits for those claims:
/// only a node that is truly full refuses. Thread-safe; messages enter in the order of calls.
/// </summary>
/// <param name="subscription">In a group.</param>
/// <param name="tryClaimAsync">True for the one that may handle the message.</param>
internal sealed class Contest(Subscription subscription, Func<Message, string, Task<bool>> tryClaimAsync)
{
    // So many wait at most when places are there and their turn is only slow to come; more are refused.
    private const int MaxWaiting = 1024;

    private readonly Lock _lock = new();

    // Messages that found no place, in order. They hold nothing but themselves.
    private readonly Queue<TaskCompletionSource> _waiting = new();

    // Places that are held for claims whose outcome is not known.
    private int _open;

    // A member that was called and has not offered yet: no other member overtakes it.
    private bool _called;

    public Subscription Subscription => subscription;

    /// <summary>How it went for one message; when Redis could not be asked for the claim, that is a refusal and the place is given back.</summary>
    public async ValueTask<Entry> EnterAsync(Message message)
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
                StatusCode.Unavailable, $"Node '{subscription.NodeId}' could not ask Redis for the claim: {Printable.Line(failure.Message)}", notProcessed: true));
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
            // No more places can come back than are held for open claims: who waits beyond that waits in vain.
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

    // Who is to be called, outside the lock.
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
/// How one contest went: the delivery, accepted or refused, and what to say when it is refused. Neither when another
/// member has the message; no delivery and yet a refusal when Redis could not be asked.
/// </summary>
internal readonly record struct Entry(Delivery? Delivery, ReplyMessage? Refusal);
