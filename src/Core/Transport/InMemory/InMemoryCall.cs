using System.Threading.Tasks.Sources;

namespace ServiceMesh;

/// <summary>
/// One request that waits for the first answer of its groups. It is its own awaitable, and the caller goes on right on
/// the handler's thread: one hop to the pool for a request and none for its reply.
/// </summary>
internal sealed class InMemoryCall(int groups, CancellationToken cancellationToken) : IValueTaskSource<ReplyMessage>, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<ReplyMessage> _core;
    private CancellationTokenRegistration _onCancelled;
    private int _left = groups;
    private int _done;
    private Delivery? _first;
    private List<Delivery>? _refused;

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
            ThreadPool.UnsafeQueueUserWorkItem(static work => work.Call.Run(work.Delivery), (Call: this, Delivery: delivery), preferLocal: false);
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
        _onCancelled = cancellationToken.UnsafeRegister(static call => ((InMemoryCall)call!).Cancel(), this);
        return new(this, _core.Version);
    }

    public ReplyMessage GetResult(short token)
    {
        _onCancelled.Unregister();
        return _core.GetResult(token);
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private async void Run(Delivery delivery) => Finish(await delivery.RunAsync(cancellationToken).ConfigureAwait(false));

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
            // The thread that cancels is somebody else's: the caller goes on elsewhere.
            _core.RunContinuationsAsynchronously = true;
            _core.SetException(new OperationCanceledException(cancellationToken));
        }
    }
}
