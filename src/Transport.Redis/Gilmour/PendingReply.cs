using System.Threading.Tasks.Sources;

namespace ServiceMesh.Redis;

/// <summary>What can be said of a request by those who heard it and will not answer.</summary>
internal enum Standing
{
    /// <summary>A member may answer.</summary>
    Open,

    /// <summary>A member has refused or left, and it is not known how many heard the request.</summary>
    Uncounted,

    /// <summary>Every node that heard it has refused it.</summary>
    RefusedByAll,

    /// <summary>Every node that heard it has refused it or left, and one that left may have taken it before.</summary>
    Deserted,
}

/// <summary>One request that waits for its reply: the first to end it wins, and it is awaited once.</summary>
internal sealed class PendingReply(Message request) : IValueTaskSource<ReplyMessage>
{
    // What follows is guarded by the lock of the request's own message, which is made for it and which no other code locks:
    // one more object for each request would be for nothing nearly always.
    private List<string>? _groupsGone;

    // Null until PUBLISH has returned, and on a cluster until the members are counted.
    private long? _receivers;
    private bool _isPublished;
    private int _refusals;
    private int _departures;
    private ReplyMessage? _refusal;

    // Replies arrive on the one thread that reads the subscription: callers must not go on there.
    private ManualResetValueTaskSourceCore<ReplyMessage> _core = new() { RunContinuationsAsynchronously = true };
    private int _ended;

    public Message Request => request;

    /// <summary>The last refusal; null when no node refused.</summary>
    public ReplyMessage? Refusal => _refusal;

    /// <summary>The groups whose members refused or left, as far as they said so.</summary>
    public IReadOnlyList<string> GroupsGone
    {
        get
        {
            lock (request)
            {
                return [.. (_groupsGone ?? []).Distinct()];
            }
        }
    }

    /// <summary>The nodes that have left since the request was published.</summary>
    public int Departures => Volatile.Read(ref _departures);

    /// <summary>The request is out, and so many nodes hear it; null when that is not known.</summary>
    public Standing Published(long? receivers)
    {
        lock (request)
        {
            (_isPublished, _receivers) = (true, receivers);
            return StandingNeedsLock();
        }
    }

    /// <summary>A node that heard the request cannot take it.</summary>
    public Standing Refused(Answer answer)
    {
        lock (request)
        {
            _refusals++;
            _refusal = answer.Reply;
            (_groupsGone ??= []).AddRange(answer.RefusedGroups!);
            return StandingNeedsLock();
        }
    }

    /// <summary>A node left these groups of the topic, and may have been given the request before.</summary>
    public Standing Departed(IEnumerable<string> groups)
    {
        lock (request)
        {
            _departures++;
            (_groupsGone ??= []).AddRange(groups);
            return StandingNeedsLock();
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

    private Standing StandingNeedsLock() =>
        !_isPublished || _refusals + _departures == 0 ? Standing.Open
        : _receivers is null ? Standing.Uncounted
        : _refusals >= _receivers ? Standing.RefusedByAll
        : _refusals + _departures >= _receivers ? Standing.Deserted
        : Standing.Open;

    ReplyMessage IValueTaskSource<ReplyMessage>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReplyMessage>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<ReplyMessage>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
