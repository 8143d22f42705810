using System.Threading.Tasks.Sources;

namespace ServiceMesh.Redis;

/// <summary>One request that waits for its reply: whoever ends it first wins, and it is awaited once.</summary>
internal sealed class PendingReply : IValueTaskSource<ReplyMessage>
{
    // Replies arrive on the one thread that reads the subscription: callers must not go on there.
    private ManualResetValueTaskSourceCore<ReplyMessage> _core = new() { RunContinuationsAsynchronously = true };
    private int _ended;

    public ValueTask<ReplyMessage> Reply => new(this, _core.Version);

    public bool TryEnd(ReplyMessage reply)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
        {
            return false;
        }

        _core.SetResult(reply);
        return true;
    }

    public void TryCancel(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            _core.SetException(new OperationCanceledException(cancellationToken));
        }
    }

    ReplyMessage IValueTaskSource<ReplyMessage>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReplyMessage>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<ReplyMessage>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
