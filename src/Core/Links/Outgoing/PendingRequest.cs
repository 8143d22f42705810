using System.Threading.Tasks.Sources;

namespace ServiceMesh.Links;

/// <summary>
/// One request that waits for its answer from one member. It ends once: the first of answer, loss, deadline and cancellation
/// wins. Awaited once. Continuations run on the thread pool, not on the thread that ends it.
/// </summary>
internal sealed class PendingRequest(Link link, Message message, string group, long startedAt) : IValueTaskSource<LinkAnswer>, IFrameSender
{
    private ManualResetValueTaskSourceCore<LinkAnswer> _core = new() { RunContinuationsAsynchronously = true };
    private int _ended;
    private volatile bool _isWritten;

    /// <summary>Names it on its link; given when its frame is put in line.</summary>
    public long Id { get; set; }

    public Message Message => message;

    public string Group => group;

    /// <summary>When it was sent, as a timestamp.</summary>
    public long StartedAt { get; } = startedAt;

    /// <summary>When the peer was asked last whether it runs, as a timestamp.</summary>
    public long AskedAt { get; set; } = startedAt;

    /// <summary>True once the write that carried it was acknowledged.</summary>
    public bool IsWritten => _isWritten;

    public ValueTask<LinkAnswer> Answer => new(this, _core.Version);

    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    public bool TryEnd(LinkAnswer answer)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
        {
            return false;
        }

        link.Remove(this);
        _core.SetResult(answer);
        return true;
    }

    /// <summary>The caller has stopped waiting: the peer is told.</summary>
    public void TryCancel(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
        {
            return;
        }

        link.Remove(this);
        link.Cancel(Id);
        _core.SetException(new OperationCanceledException(cancellationToken));
    }

    /// <summary>No answer will come any longer, and whether a handler ran is not known.</summary>
    public bool TryLose(string reason) => TryEnd(LinkAnswer.Lost(_isWritten
        ? $"{reason} Whether a handler of '{message.Topic}' ran is not known."
        : $"{reason} Whether the message on '{message.Topic}' went out is not known."));

    void IFrameSender.OnSent(WriteOutcome outcome)
    {
        switch (outcome.Result)
        {
            case WriteResult.Written:
                _isWritten = true;
                break;
            case WriteResult.Unknown:
                TryLose(outcome.Reason!);
                break;
            default:
                TryEnd(LinkAnswer.NotSent(
                    outcome.Reason!,
                    outcome.Result == WriteResult.NoReceiver ? AnswerKind.NoReceiver : AnswerKind.NotSent));
                break;
        }
    }

    LinkAnswer IValueTaskSource<LinkAnswer>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<LinkAnswer>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<LinkAnswer>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
