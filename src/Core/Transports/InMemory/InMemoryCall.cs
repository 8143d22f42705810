using System.Threading.Tasks.Sources;

namespace ServiceMesh.Transports;

/// <summary>
/// One request that waits for the first answer of its groups. It is its own awaitable, and the caller goes on right on
/// the handler's thread: one hop to the pool for a request and none for its reply.
/// </summary>
internal sealed class InMemoryCall : IValueTaskSource<ReplyMessage>, IThreadPoolWorkItem
{
    // One for each thread is enough: the caller goes on, and asks again, where the handler ended.
    [ThreadStatic]
    private static InMemoryCall? t_free;

    // The caller's token belongs to another request once the answer is there. One handler has ended by then; of several
    // groups the others may still run, or have yet to begin, so these have a source that is let go of with the answer.
    private CancellationTokenSource? _ofGroups;
    private CancellationToken _callerGone;
    private ManualResetValueTaskSourceCore<ReplyMessage> _core;
    private CancellationTokenRegistration _onCancelled;
    private int _left;
    private int _done;
    private Delivery? _first;
    private List<Delivery>? _refused;

    private InMemoryCall() { }

    public static InMemoryCall To(int groups, CancellationToken cancellationToken)
    {
        var call = t_free ?? new();
        t_free = null;
        call._left = groups;
        call._ofGroups = groups > 1 ? CancellationTokenSource.CreateLinkedTokenSource(cancellationToken) : null;
        call._callerGone = call._ofGroups?.Token ?? cancellationToken;
        return call;
    }

    /// <summary>Runs an accepted delivery on the pool; a refusal is the answer when no group has a better one.</summary>
    public void Begin(Delivery delivery)
    {
        if (!delivery.IsAccepted)
        {
            (_refused ??= []).Add(delivery);
            Finish(delivery.Refusal!);
        }
        else if (_first is null)
        {
            // Nearly every topic has one group: the call is its work item as well.
            _first = delivery;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static work =>
                work.Call.Run(work.Delivery), (Call: this, Delivery: delivery), preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute() => Run(_first!);

    /// <summary>The answer; called after all groups began, and awaited once.</summary>
    public ValueTask<ReplyMessage> Answer()
    {
        if (_first is not null && _refused is not null)
        {
            // Another group answers, so the caller will not hear that these did not get their copy.
            _refused.ForEach(delivery => delivery.ReportLoss());
        }

        // Last, because a token that has fired already calls back at once.
        _onCancelled = _callerGone.UnsafeRegister(static call => ((InMemoryCall)call!).Cancel(), this);
        return new(this, _core.Version);
    }

    public ReplyMessage GetResult(short token)
    {
        // False when the token has fired: then that callback may still be running, and so may the handler.
        var isUndisturbed = _onCancelled.Unregister();
        if (_ofGroups is not null || !isUndisturbed)
        {
            _ofGroups?.Dispose();
            return _core.GetResult(token);
        }

        // The only handler has ended, and nothing else refers to the call: it may serve another request.
        var reply = _core.GetResult(token);
        _core.Reset();
        (_callerGone, _onCancelled, _first, _refused, _done) = (default, default, null, null, 0);
        t_free = this;
        return reply;
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private async void Run(Delivery delivery) => Finish(await delivery.RunAsync(_callerGone).ConfigureAwait(false));

    // The first group that ran a handler answers; a refusal only when all groups refused.
    private void Finish(ReplyMessage reply)
    {
        if (Interlocked.Decrement(ref _left) > 0 && reply.NotProcessed)
        {
            return;
        }

        if (Interlocked.Exchange(ref _done, 1) == 0)
        {
            _core.SetResult(reply);
        }
    }

    private void Cancel()
    {
        if (Interlocked.Exchange(ref _done, 1) == 0)
        {
            // The thread that cancels belongs to other code: the caller goes on elsewhere.
            _core.RunContinuationsAsynchronously = true;
            _core.SetException(new OperationCanceledException(_callerGone));
        }
    }
}
