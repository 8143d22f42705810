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
    private readonly Lock _lock = new();

    // Messages that found no place, in order. They hold nothing but themselves.
    private readonly Queue<TaskCompletionSource> _waiting = new();

    // Places that are held for claims whose outcome is not known.
    private int _open;

    // One that was called and has not offered yet: nobody overtakes it.
    private bool _called;

    public Subscription Subscription => subscription;

    /// <summary>
    /// Accepted: this node has the message and must run it. Refused: it has no place, and has claimed nothing. Null:
    /// another member has it.
    /// </summary>
    /// <exception cref="StackExchange.Redis.RedisException">Redis could not be asked for the claim; the place is given back.</exception>
    public async Task<Delivery?> EnterAsync(Message message)
    {
        // Synchronous up to here for nearly all, which keeps the order of arrival.
        var mayOffer = MayOffer();
        if (!mayOffer.IsCompleted)
        {
            await mayOffer.ConfigureAwait(false);
        }

        var delivery = subscription.Offer(message);
        Offered(delivery.IsAccepted, wasCalled: mayOffer != Task.CompletedTask);
        if (!delivery.IsAccepted)
        {
            return delivery;
        }

        var won = false;
        try
        {
            won = await tryClaimAsync(message, subscription.Group!).ConfigureAwait(false);
        }
        finally
        {
            if (!won)
            {
                delivery.Withdraw();
            }

            Settled();
        }

        return won ? delivery : null;
    }

    private Task MayOffer()
    {
        lock (_lock)
        {
            var isFull = !subscription.HasPlace;
            var mustQueue = _called || _waiting.Count > 0;
            // No more places can come back than are held for open claims: who waits beyond that waits in vain.
            if (isFull ? _waiting.Count >= _open : !mustQueue)
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
        lock (_lock)
        {
            _open += accepted ? 1 : 0;
            _called &= !wasCalled;
        }

        CallNext();
    }

    private void Settled()
    {
        lock (_lock)
        {
            _open--;
        }

        CallNext();
    }

    private void CallNext()
    {
        TaskCompletionSource? next = null;
        lock (_lock)
        {
            if (_waiting.Count > 0 && !_called && (_open == 0 || subscription.HasPlace))
            {
                next = _waiting.Dequeue();
                _called = true;
            }
        }

        next?.SetResult();
    }
}
