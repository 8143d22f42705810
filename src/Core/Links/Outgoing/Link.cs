using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace ServiceMesh.Links;

/// <summary>
/// What one node sends to one other node, and what of that waits for an answer. Requests, signals and cancellations of this
/// node leave through it, and so do the replies to the other node's requests. Thread-safe.
/// </summary>
internal sealed class Link
{
    // A confirmation counts as lost after so many times the time that a ping may take: a slow reader must not be flooded.
    private const int PingsUntilLost = 5;

    private readonly ConcurrentDictionary<long, PendingRequest> _pending = new();
    private readonly LinkOptions _options;
    private readonly TimeProvider _clock;
    private readonly SharedClock _sharedClock;
    private readonly Outbox _outbox;
    private readonly Lock _confirming = new();

    // Guarded by the outbox's lock: ids rise in the order in which frames leave, and the peer takes one that does not for a duplicate.
    private long _lastId;
    private int _outstanding;
    private long _lastHeard;
    private long _pingedAt;
    private bool _mustAskForAll;
    private Confirmations _confirmations;
    private long _confirmingSince;
    private MemberLoad _load;

    /// <param name="peer">The id of the other node.</param>
    /// <param name="firstId">What ids begin behind; a link that is made again for the same peer continues where the last one ended.</param>
    /// <param name="preamble">What each write begins with; empty where a stream has one at its beginning.</param>
    /// <param name="write">Moves the bytes.</param>
    /// <param name="options">The bounds.</param>
    /// <param name="clock">This node's clock.</param>
    /// <param name="sharedClock">The clock of deadlines.</param>
    public Link(
        string peer, long firstId, byte[] preamble, FrameWrite write, LinkOptions options, TimeProvider clock, SharedClock sharedClock)
    {
        (Peer, _lastId, _options, _clock, _sharedClock) = (peer, firstId, options, clock, sharedClock);
        _outbox = new(preamble, write, options, clock) { OnWritten = OnWritten };
        _confirmations = new(options.MaxUnconfirmedBytes);
        _lastHeard = clock.GetTimestamp();
    }

    /// <summary>The id of the other node.</summary>
    public string Peer { get; }

    /// <summary>The requests that wait for this peer's answer.</summary>
    public int Outstanding => Volatile.Read(ref _outstanding);

    /// <summary>Frames that are not written yet.</summary>
    public int Depth => _outbox.Depth;

    /// <summary>The id of the last frame that wanted an answer.</summary>
    public long LastId => Volatile.Read(ref _lastId);

    /// <summary>How busy the peer is: what waits for it here, and what it does for others.</summary>
    public int Load => Outstanding + Volatile.Read(ref _load.OfOthers);

    /// <summary>How long the peer took for its last answers, smoothed.</summary>
    public TimeSpan Latency => TimeSpan.FromTicks(Volatile.Read(ref _load.LatencyTicks));

    /// <summary>True while nothing is written, waits to be written, or waits for an answer.</summary>
    public bool IsIdle => Outstanding == 0 && _pending.IsEmpty && _outbox.IsIdle;

    /// <summary>Whether each answer says that this node takes no new messages.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>
    /// The largest body of a reply that the peer accepts, where it has said that. A larger one is answered with 413 instead.
    /// </summary>
    public int MaxReplyBytes { get; init; } = int.MaxValue;

    /// <summary>Called when the peer is taken for dead, with the reason. Its requests have ended by then.</summary>
    public Action<Link, string>? OnDead { get; set; }

    /// <summary>
    /// Sends a request or a group's copy of a signal, and waits for what becomes of it. Awaited once.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<LinkAnswer> SendAsync(Message message, string group, CancellationToken cancellationToken)
    {
        if (FrameCheck.WhyUnwritable(message, group) is { } why)
        {
            // No other member could read it either.
            return new(AnswerKind.Reply, ReplyMessage.Failure(StatusCode.BadRequest, why, notProcessed: true));
        }

        if (Send(message, group) is not { } pending)
        {
            return LinkAnswer.NotSent($"Too many frames wait for node '{Peer}' ({_outbox.Depth}).");
        }

        using var registration = cancellationToken.UnsafeRegister(
            static (state, token) => ((PendingRequest)state!).TryCancel(token), pending);
        return await pending.Answer.ConfigureAwait(false);
    }

    /// <summary>Gives the answer to one of the peer's requests or signals. False when the outbox is full.</summary>
    /// <param name="id">That of the request or signal.</param>
    /// <param name="reply">The answer.</param>
    /// <param name="load">How busy this node is.</param>
    /// <param name="gather">Whether other answers are likely to follow at once, so that one write carries them all.</param>
    /// <param name="sender">Is told what became of the answer.</param>
    public bool Answer(long id, ReplyMessage reply, int load, bool gather, IFrameSender? sender = null) =>
        _outbox.TryAdd(
            static (to, answer) => FrameWriter.Reply(to, answer.id, answer.reply, answer.load, answer.IsLeaving),
            (id, reply: FrameCheck.Writable(WithinLimit(reply)), load, IsLeaving), sender,
            gather);

    /// <summary>Says that this node does not take a request or signal of the peer. False when the outbox is full.</summary>
    public bool Refuse(long id, ReplyMessage refusal, int load) =>
        _outbox.TryAdd(
            static (to, answer) => FrameWriter.Refusal(to, answer.id, answer.refusal, answer.load, answer.IsLeaving),
            (id, refusal, load, IsLeaving), null);

    public bool Pong(long id, long stamp, int load, bool isNotHere = false) => _outbox.TryAdd(
        static (to, pong) => FrameWriter.Pong(to, pong.id, pong.stamp, pong.load, pong.isNotHere, pong.Link._sharedClock.Own),
        (Link: this, id, stamp, load, isNotHere), null,
        urgent: !isNotHere); // that a request is not here may be said behind its reply only

    /// <summary>Asks the peer for a sign of life, by which its clock is measured too.</summary>
    public void Ping() => _outbox.TryAdd(static (to, stamp) => FrameWriter.Ping(to, 0, stamp), _clock.GetTimestamp(), null, urgent: true);

    /// <summary>Tells the peer, behind all answers, that it is to end its half of the stream.</summary>
    public void Leave() => _outbox.TryAdd(static (to, _) => FrameWriter.Leave(to), 0, null);

    /// <summary>Tells the peer that its change of the directory is taken over here.</summary>
    public bool Applied(long number) => _outbox.TryAdd(static (to, number) => FrameWriter.Applied(to, number), number, null);

    /// <summary>An answer of the peer arrived. False when nothing waits for it: it came too late.</summary>
    public bool Hear(in Frame frame)
    {
        HearAnything();
        switch (frame.Kind)
        {
            case FrameKind.Pong:
                _load.Report(frame.Load, Outstanding);
                if (frame.ClockId != 0)
                {
                    _sharedClock.Measure(frame.ClockId, frame.ClockTime, frame.Stamp, _clock.GetTimestamp());
                }

                if (frame.IsAboutRequest)
                {
                    return _pending.TryGetValue(frame.Id, out var lost)
                        && lost.TryLose($"Node '{Peer}' does not have the request: it, or its reply, was lost on the way.");
                }

                Confirm(frame.Id);
                return true;
            case FrameKind.Reply or FrameKind.Refusal:
                return HearAnswer(in frame);
            default:
                return true;
        }
    }

    /// <summary>
    /// An answer of the peer arrived whose id could be read and nothing else: the request ends, because no other answer will come.
    /// </summary>
    public bool HearUnreadable(long id, FrameFault fault) => _pending.TryGetValue(id, out var pending) && pending.TryEnd(new(
        AnswerKind.Reply,
        ReplyMessage.Failure(StatusCode.HandlerFailed, $"Node '{Peer}' answered with a frame that cannot be read ({fault}).")));

    /// <summary>The peer may have lost what was on its way: with the next tick it is asked about everything that waits for it.</summary>
    public void AskForAll() => Volatile.Write(ref _mustAskForAll, true);

    /// <summary>The peer sent something else: it lives.</summary>
    public void HearAnything()
    {
        Volatile.Write(ref _lastHeard, _clock.GetTimestamp());
        Volatile.Write(ref _pingedAt, 0);
    }

    /// <summary>Ends everything that waits, because no answer can come.</summary>
    /// <returns>How many requests ended.</returns>
    public int EndAll(string reason)
    {
        // First those that were not handed over, whose senders are told so.
        _outbox.Drop(reason);
        lock (_confirming)
        {
            _confirmations.Reset();
        }

        Volatile.Write(ref _pingedAt, 0);
        _outbox.Release();
        var ended = 0;
        foreach (var (_, pending) in _pending)
        {
            ended += pending.TryLose(reason) ? 1 : 0;
        }

        return ended;
    }

    /// <summary>
    /// The peer has said that it reads another version, so that it has handled nothing of what waits: all of it ends as not
    /// processed.
    /// </summary>
    public void EndUnread(string reason)
    {
        _outbox.Drop(reason);
        foreach (var (_, pending) in _pending)
        {
            pending.TryEnd(LinkAnswer.NotSent(reason));
        }
    }

    /// <summary>
    /// To be called a few times a second. Ends a write that takes too long and what is past its deadline, forgets accepted signals,
    /// and asks a peer that owes answers whether it lives.
    /// </summary>
    /// <param name="canHear">False while this node receives nothing itself; then a silent peer does not count as dead.</param>
    public void Tick(bool canHear)
    {
        _outbox.Tick();
        EndOverdue();
        _load.Decay();
        var now = _clock.GetTimestamp();
        if (!canHear)
        {
            HearAnything();
            return;
        }

        AskForOld(now);
        ReleaseUnconfirmed(now);

        var silence = _clock.GetElapsedTime(Volatile.Read(ref _lastHeard), now);
        var pingedAt = Volatile.Read(ref _pingedAt);
        if (pingedAt != 0 && _clock.GetElapsedTime(pingedAt, now) >= _options.PingTimeout)
        {
            Die($"Node '{Peer}' has not answered for {silence.TotalSeconds:0.0} s.");
        }
        else if (pingedAt == 0 && silence >= _options.Silence && OwesAnswer())
        {
            Volatile.Write(ref _pingedAt, now);
            _outbox.TryAdd(static (to, stamp) => FrameWriter.Ping(to, 0, stamp), now, new PingWatch(this), urgent: true);
        }
    }

    /// <summary>Ends what waits as lost and tells <see cref="OnDead"/>.</summary>
    public void Die(string reason)
    {
        EndAll(reason);
        OnDead?.Invoke(this, reason);
    }

    /// <summary>Ends when nothing waits to be written.</summary>
    public Task FlushAsync() => _outbox.FlushAsync();

    /// <summary>Ends the link; what waits ends as <see cref="EndAll"/> says.</summary>
    public async Task CloseAsync(string reason)
    {
        var closing = _outbox.CloseAsync(reason);
        EndAll(reason);
        await closing.ConfigureAwait(false);
    }

    internal void Remove(PendingRequest pending)
    {
        if (_pending.TryRemove(pending.Id, out _) && pending.Message.Kind == MessageKind.Request)
        {
            Interlocked.Decrement(ref _outstanding);
        }
    }

    internal void Cancel(long id) => _outbox.TryAdd(static (to, id) => FrameWriter.Cancel(to, id), id, null);

    private ReplyMessage WithinLimit(ReplyMessage reply) =>
        reply.Body.Length <= MaxReplyBytes ? reply : TooLarge(reply.Body.Length, MaxReplyBytes);

    private static ReplyMessage TooLarge(int bytes, int max) => ReplyMessage.Failure(
        StatusCode.BodyTooLarge,
        $"The reply has {bytes} bytes; the caller's node accepts {max}. Answer with less, or raise its Request:MaxBodyBytes.");

    private PendingRequest? Send(Message message, string group)
    {
        var pending = new PendingRequest(this, message, group, _clock.GetTimestamp());
        // Where several callers wait, their answers arrive together, and their next requests come together.
        return _outbox.TryAdd(
            static (to, p) => p.Link.WriteNeedsOutbox(to, p.Pending), (Link: this, Pending: pending), pending, gather: Outstanding > 1)
            ? pending
            : null;
    }

    // Waits before it leaves: the answer may be here before the write has returned.
    private void WriteNeedsOutbox(FrameBuffer to, PendingRequest pending)
    {
        pending.Id = ++_lastId;
        _pending[pending.Id] = pending;
        if (pending.Message.Kind == MessageKind.Request)
        {
            Interlocked.Increment(ref _outstanding);
        }

        FrameWriter.Message(to, pending.Id, pending.Message, pending.Group, _sharedClock.Stamp(pending.Message.Deadline));
    }

    private void EndOverdue()
    {
        foreach (var (_, pending) in _pending)
        {
            if (pending.Message.Kind == MessageKind.Request)
            {
                if (_options.EndsAtDeadline && pending.Message.Deadline.HasPassed)
                {
                    pending.TryEnd(new(AnswerKind.Lost, ReplyMessage.Failure(
                        StatusCode.DeadlinePassed, $"The deadline of the request on '{pending.Message.Topic}' passed without an answer.")));
                }
            }
            else if (_options.SignalMemory != Timeout.InfiniteTimeSpan
                && _clock.GetElapsedTime(pending.StartedAt) >= _options.SignalMemory)
            {
                pending.TryEnd(new(AnswerKind.Reply, new() { Status = StatusCode.Ok }));
            }
        }
    }

    private void AskForOld(long now)
    {
        var all = Interlocked.Exchange(ref _mustAskForAll, false);
        foreach (var (id, pending) in _pending)
        {
            if (pending is { IsWritten: true, Message.Kind: MessageKind.Request }
                && (all || _clock.GetElapsedTime(pending.AskedAt, now) >= _options.AskAfter))
            {
                pending.AskedAt = now;
                _outbox.TryAdd(static (to, ping) => FrameWriter.Ping(to, ping.id, ping.now, asksForRequest: true), (id, now), null,
                    urgent: true);
            }
        }
    }

    // The ping, or its answer, was lost on the way: the peer talks, and would never confirm what was written.
    private void ReleaseUnconfirmed(long now)
    {
        lock (_confirming)
        {
            if (!_confirmations.IsWaiting || _clock.GetElapsedTime(_confirmingSince, now) < PingsUntilLost * _options.PingTimeout)
            {
                return;
            }

            _confirmations.Reset();
        }

        _outbox.Release();
    }

    private bool OwesAnswer()
    {
        lock (_confirming)
        {
            return _options.PingsWhenIdle || Outstanding > 0 || _confirmations.IsWaiting;
        }
    }

    private bool HearAnswer(in Frame frame)
    {
        if (!_pending.TryGetValue(frame.Id, out var pending))
        {
            return false;
        }

        if (frame.Kind == FrameKind.Refusal)
        {
            _load.Report(frame.Load, Outstanding);
            return pending.TryEnd(new(
                AnswerKind.Refusal,
                ReplyMessage.Failure(
                    frame.Status, frame.Error ?? $"Node '{Peer}' refused the message.", notProcessed: true, RetryAfter(in frame)))
            {
                Load = frame.Load,
                IsLeaving = frame.IsLeaving,
            });
        }

        if (pending.Message.Kind == MessageKind.Request)
        {
            _load.Report(frame.Load, Outstanding, _clock.GetElapsedTime(pending.StartedAt));
        }

        return pending.TryEnd(new(AnswerKind.Reply, frame.Body.Length > _options.MaxBodyBytes
            ? TooLarge(frame.Body.Length, _options.MaxBodyBytes)
            : new()
            {
                Status = frame.Status,
                Error = frame.Error,
                NotProcessed = frame.NotProcessed,
                IsOfHandler = frame.IsOfHandler,
                Headers = frame.Headers,
                ContentType = frame.ContentType,
                Body = frame.Body,
                RetryAfter = RetryAfter(in frame),
            })
        {
            Load = frame.Load,
            IsLeaving = frame.IsLeaving,
        });
    }

    private static TimeSpan? RetryAfter(in Frame frame) =>
        frame.RetryAfter == 0 ? null : TimeSpan.FromMilliseconds(frame.RetryAfter);

    // Called by the outbox between two writes, without its lock.
    private void OnWritten(int bytes)
    {
        bool mustPing, mustWait;
        lock (_confirming)
        {
            mustPing = _confirmations.Written(bytes);
            mustWait = _confirmations.MustWait;
        }

        if (mustWait)
        {
            _outbox.Hold();
        }
        else if (mustPing)
        {
            var ping = new Confirmation(this);
            _outbox.TryAdd(static (to, ping) => ping.WriteNeedsOutbox(to), ping, ping);
        }
    }

    private void Confirm(long id)
    {
        bool isConfirmed;
        lock (_confirming)
        {
            isConfirmed = _confirmations.Confirm(id);
        }

        if (isConfirmed)
        {
            _outbox.Release();
        }
    }

    /// <summary>The ping whose answer says that all before it was read.</summary>
    private sealed class Confirmation(Link link) : IFrameSender
    {
        private long _id;

        public void WriteNeedsOutbox(FrameBuffer to)
        {
            _id = ++link._lastId;
            lock (link._confirming)
            {
                link._confirmations.Pinging(_id);
                link._confirmingSince = link._clock.GetTimestamp();
            }

            FrameWriter.Ping(to, _id, link._clock.GetTimestamp());
        }

        public void OnSent(WriteOutcome outcome)
        {
            bool mustWait;
            lock (link._confirming)
            {
                if (outcome.Result != WriteResult.Written)
                {
                    link._confirmations.Reset();
                }
                else
                {
                    link._confirmations.PingWritten(_id);
                }

                mustWait = link._confirmations.MustWait;
            }

            if (mustWait)
            {
                link._outbox.Hold();
            }
        }
    }

    /// <summary>A ping for which there is no receiver says more than one without an answer.</summary>
    private sealed class PingWatch(Link link) : IFrameSender
    {
        public void OnSent(WriteOutcome outcome)
        {
            if (outcome.Result == WriteResult.Written)
            {
                return;
            }

            // A node that replaces its connection is away for a moment and still owes its answers: it is asked again.
            var silence = link._clock.GetElapsedTime(Volatile.Read(ref link._lastHeard));
            if (outcome.Result == WriteResult.NoReceiver && silence >= 2 * link._options.Silence)
            {
                link.Die($"Node '{link.Peer}' is gone: it has no connection, and has been silent for {silence.TotalSeconds:0.0} s.");
            }
            else
            {
                Volatile.Write(ref link._pingedAt, 0);
            }
        }
    }
}
