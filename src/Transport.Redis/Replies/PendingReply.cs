using System.Threading.Tasks.Sources;

namespace ServiceMesh.Redis;

/// <summary>One request that waits for its reply: whoever ends it first wins, and it is awaited once.</summary>
internal sealed class PendingReply(Message request) : IValueTaskSource<ReplyMessage>
{
    private readonly Lock _lock = new();
    private long _receivers = -1; // not known yet
    private List<string>? _departed;

    // Replies arrive on the one thread that reads the subscription: callers must not go on there.
    private ManualResetValueTaskSourceCore<ReplyMessage> _core = new() { RunContinuationsAsynchronously = true };
    private int _ended;

    public Message Request => request;

    /// <summary>PUBLISH has said how many heard the request. Returns the groups that departed meanwhile.</summary>
    public IReadOnlyList<string> Published(long receivers)
    {
        lock (_lock)
        {
            _receivers = receivers;
            return receivers == 1 && _departed is not null ? _departed : [];
        }
    }

    /// <summary>A node left a group of this topic. True when it may have been the only one that was given the request.</summary>
    public bool Departed(string group)
    {
        lock (_lock)
        {
            (_departed ??= []).Add(group);
            return _receivers == 1;
        }
    }

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
