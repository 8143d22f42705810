using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ServiceMesh.Links;

/// <summary>
/// The frames that leave for one target. One write is under way at a time; what comes meanwhile goes with the next one. So a
/// single caller waits for nothing, and many callers share a write. No frame waits for a time. Thread-safe.
/// </summary>
/// <remarks>
/// The buffer of a write whose outcome is unknown is left to the garbage collector: the connection may still read it.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "CloseAsync ends the writing and disposes what it uses.")]
internal sealed class Outbox(byte[] preamble, FrameWrite write, LinkOptions options, TimeProvider clock) : IThreadPoolWorkItem
{
    // A pool that takes longer than this to begin a write is busy: then the frames themselves begin it, for the time below.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_mistrust = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Queue<Batch> _waiting = new();
    private readonly CancellationTokenSource _closing = new();
    private Batch? _urgent;
    private Batch? _last;
    private Batch? _spare;
    private OneWrite? _current;
    private TaskCompletionSource? _idle;
    private bool _isWriting;
    private bool _isScheduled;
    private long _scheduledAt;
    private long _slowAt;
    private bool _isHeld;
    private bool _isClosed;
    private int _frames;
    private long _bytes;

    /// <summary>Frames that are not written yet, those of the write under way included.</summary>
    public int Depth => Volatile.Read(ref _frames);

    /// <summary>True when nothing is written or waits.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_lock)
            {
                return !_isWriting && _waiting.Count == 0;
            }
        }
    }

    /// <summary>Called with the bytes of each write that succeeded, before the next one begins. May call <see cref="Hold"/>.</summary>
    public Action<int>? OnWritten { get; set; }

    /// <summary>
    /// Puts a frame in line. False when the outbox is full or closed: then the sender is not told, and the frame certainly
    /// does not go out.
    /// </summary>
    /// <param name="encode">Writes exactly one frame. Runs under the outbox's lock: must be quick, and call nothing of others.</param>
    /// <param name="state">What <paramref name="encode"/> is given.</param>
    /// <param name="sender">Is told what became of the frame; null for a frame whose loss is not told.</param>
    /// <param name="gather">
    /// True when other frames are likely to follow from work that is in the pool's queue already: then the write begins behind
    /// that work, and takes those frames along.
    /// </param>
    /// <param name="urgent">
    /// True for a small frame that goes ahead of all that waits, also while the outbox is held or full of other frames: a question or
    /// an answer by which the peer learns that it may go on.
    /// </param>
    public bool TryAdd<T>(
        Action<FrameBuffer, T> encode, T state, IFrameSender? sender, bool gather = false, bool urgent = false)
    {
        bool isScheduled;
        lock (_lock)
        {
            if (_isClosed || (urgent ? IsUrgentFullNeedsLock() : IsFullNeedsLock()))
            {
                return false;
            }

            AppendNeedsLock(encode, state, sender, urgent);
            if ((_isHeld && !urgent) || (_isWriting && !MayBeginScheduledNeedsLock()))
            {
                return true;
            }

            _isScheduled = isScheduled = gather && !_isWriting && IsPoolQuickNeedsLock();
            _scheduledAt = isScheduled ? clock.GetTimestamp() : 0;
            _isWriting = true;
        }

        if (isScheduled)
        {
            options.RunOnPool(this);
        }
        else
        {
            Begin();
        }

        return true;
    }

    /// <summary>The pool has come to the write that was put behind its work.</summary>
    void IThreadPoolWorkItem.Execute() => BeginScheduled(isPool: true);

    /// <summary>Writes nothing more until <see cref="Release"/>; frames still may be put in line.</summary>
    public void Hold()
    {
        lock (_lock)
        {
            _isHeld = true;
        }
    }

    /// <summary>Goes on writing.</summary>
    public void Release()
    {
        lock (_lock)
        {
            _isHeld = false;
            if (_isWriting || _waiting.Count == 0)
            {
                return;
            }

            _isWriting = true;
        }

        Begin();
    }

    /// <summary>
    /// Takes out what has not been handed to a write, and tells each sender that it was not written. Where a write is under
    /// way, that one ends by itself.
    /// </summary>
    public void Drop(string reason)
    {
        List<Batch> dropped;
        lock (_lock)
        {
            dropped = [.. _waiting];
            _waiting.Clear();
            _last = null;
            foreach (var batch in dropped)
            {
                _frames -= batch.Frames;
                _bytes -= batch.Bytes;
            }

            if (!_isWriting)
            {
                _idle?.TrySetResult();
                _idle = null;
            }
        }

        foreach (var batch in dropped)
        {
            batch.Tell(new(WriteResult.NotWritten, reason));
            batch.Buffer.Dispose();
        }
    }

    /// <summary>Ends when nothing is written or waits.</summary>
    public Task FlushAsync()
    {
        lock (_lock)
        {
            return !_isWriting && _waiting.Count == 0 ? Task.CompletedTask
                : (_idle ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>
    /// To be called a few times a second. A write that takes longer than it may ends as unknown, and the next one begins.
    /// </summary>
    public void Tick()
    {
        BeginScheduled(isPool: false);
        GiveUp(options.WriteTimeout, $"The write was not acknowledged within {options.WriteTimeout.TotalSeconds:0.###} s.");
    }

    /// <summary>Takes no more frames, tells those that wait, and ends when the write under way has ended.</summary>
    public async Task CloseAsync(string reason)
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return;
            }

            _isClosed = true;
        }

        Drop(reason);
        await _closing.CancelAsync().ConfigureAwait(false);
        try
        {
            await FlushAsync().WaitAsync(options.WriteTimeout, clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            GiveUp(TimeSpan.Zero, $"The write had not ended when the link was closed. {reason}");
        }

        _closing.Dispose();
    }

    private bool IsFullNeedsLock() =>
        _frames >= options.MaxWaitingFrames || (_bytes >= options.MaxWaitingBytes && _frames > 0);

    private bool IsUrgentFullNeedsLock() => _urgent is { } urgent && urgent.Buffer.Length >= options.MaxBatchBytes;

    private void AppendNeedsLock<T>(Action<FrameBuffer, T> encode, T state, IFrameSender? sender, bool urgent)
    {
        var batch = urgent ? _urgent ??= MakeBatchNeedsLock() : _last ?? NewBatchNeedsLock();
        var before = batch.Buffer.Length;
        encode(batch.Buffer, state);
        var size = batch.Buffer.Length - before;
        if (!urgent && batch.Buffer.Length > options.MaxBatchBytes && batch.Frames > 0)
        {
            // The frame opens a batch of its own; encoding it once and copying is rarer than measuring each one first.
            var own = NewBatchNeedsLock();
            own.Buffer.Raw(batch.Buffer.Written.Span[before..]);
            batch.Buffer.Truncate(before);
            batch = own;
        }

        batch.Add(sender, size);
        _frames++;
        _bytes += size;
    }

    private Batch NewBatchNeedsLock()
    {
        var batch = MakeBatchNeedsLock();
        _waiting.Enqueue(batch);
        _last = batch;
        return batch;
    }

    private Batch MakeBatchNeedsLock()
    {
        var batch = _spare ?? new();
        _spare = null;
        batch.Buffer.Raw(preamble);
        return batch;
    }

    private bool IsPoolQuickNeedsLock() => _slowAt == 0 || clock.GetElapsedTime(_slowAt) >= s_mistrust;

    // True when the pool has not come to a scheduled write in time: then it is not scheduled any longer, and the caller begins it.
    private bool MayBeginScheduledNeedsLock()
    {
        if (!_isScheduled || clock.GetElapsedTime(_scheduledAt) <= s_patience)
        {
            return false;
        }

        _slowAt = clock.GetTimestamp();
        _isScheduled = false;
        return true;
    }

    private void BeginScheduled(bool isPool)
    {
        lock (_lock)
        {
            if (!MayBeginScheduledNeedsLock())
            {
                if (!isPool || !_isScheduled)
                {
                    return;
                }

                _slowAt = 0;
                _isScheduled = false;
            }
        }

        Begin();
    }

    // The first write begins on the thread of the frame that found the outbox idle, and without its ambient context: the writes
    // of other callers follow it.
    private void Begin()
    {
        if (ExecutionContext.IsFlowSuppressed())
        {
            WriteAll(_current ??= new(this));
            return;
        }

        using (ExecutionContext.SuppressFlow())
        {
            WriteAll(_current ??= new(this));
        }
    }

    private void WriteAll(OneWrite one)
    {
        while (TryTake(one) is { } batch && one.TryEndAtOnce(write, batch, _closing.Token, out var outcome))
        {
            if (!End(one, batch, outcome))
            {
                return;
            }
        }
    }

    private Batch? TryTake(OneWrite one)
    {
        lock (_lock)
        {
            if (one != _current)
            {
                return null; // given up; its successor writes
            }

            if (_urgent is { } urgent)
            {
                _urgent = null;
                one.Begins(urgent, clock.GetTimestamp());
                return urgent;
            }

            if (!_isHeld && _waiting.TryDequeue(out var batch))
            {
                _last = ReferenceEquals(_last, batch) ? null : _last;
                one.Begins(batch, clock.GetTimestamp());
                return batch;
            }

            _isWriting = false;
            if (_waiting.Count == 0)
            {
                _idle?.TrySetResult();
                _idle = null;
            }

            return null;
        }
    }

    // False when the write was given up before: then its senders have been told.
    private bool End(OneWrite one, Batch batch, WriteOutcome outcome)
    {
        lock (_lock)
        {
            if (one != _current)
            {
                return false;
            }

            one.Ends();
            _frames -= batch.Frames;
            _bytes -= batch.Bytes;
        }

        if (outcome.Result == WriteResult.Written)
        {
            OnWritten?.Invoke(batch.Buffer.Length);
        }

        batch.Tell(outcome);
        Recycle(batch, mayStillBeRead: outcome.Result == WriteResult.Unknown);
        return true;
    }

    private void GiveUp(TimeSpan after, string reason)
    {
        OneWrite next;
        Batch batch;
        lock (_lock)
        {
            if (_current is not { Batch: { } overdue } current || clock.GetElapsedTime(current.StartedAt) < after)
            {
                return;
            }

            batch = overdue;
            _current = next = new(this);
            _frames -= batch.Frames;
            _bytes -= batch.Bytes;
        }

        batch.Tell(new(WriteResult.Unknown, reason));
        WriteAll(next);
    }

    private void Recycle(Batch batch, bool mayStillBeRead)
    {
        if (mayStillBeRead)
        {
            return;
        }

        if (batch.Buffer.Length > options.MaxBatchBytes)
        {
            batch.Buffer.Dispose();
            return;
        }

        batch.Clear();
        lock (_lock)
        {
            if (_spare is null)
            {
                _spare = batch;
                return;
            }
        }

        batch.Buffer.Dispose();
    }

    /// <summary>
    /// The write under way, used again for the next one. One that is given up is left to itself, with its buffer, and another one
    /// takes its place. What changes is guarded by the outbox's lock.
    /// </summary>
    private sealed class OneWrite
    {
        private readonly Outbox _outbox;
        private readonly Action _onEnded;
        private ConfiguredValueTaskAwaitable<WriteOutcome>.ConfiguredValueTaskAwaiter _awaiter;

        public OneWrite(Outbox outbox) => (_outbox, _onEnded) = (outbox, OnEnded);

        /// <summary>What is written now; null between two writes.</summary>
        public Batch? Batch { get; private set; }

        public long StartedAt { get; private set; }

        public void Begins(Batch batch, long now) => (Batch, StartedAt) = (batch, now);

        public void Ends() => Batch = null;

        /// <summary>False while the write goes on: then the outbox continues when it ends.</summary>
        [SuppressMessage("Design", "CA1031", Justification = "What the mover of bytes throws must not stop the outbox: it is unknown.")]
        [SuppressMessage("Reliability", "CA2012", Justification = "The awaiter is used once: its result is taken here or when it ends.")]
        public bool TryEndAtOnce(FrameWrite write, Batch batch, CancellationToken closing, out WriteOutcome outcome)
        {
            try
            {
                _awaiter = write(batch.Buffer.Written, closing).ConfigureAwait(false).GetAwaiter();
            }
            catch (Exception failure)
            {
                outcome = new(WriteResult.Unknown, ExceptionText.Brief(failure));
                return true;
            }

            if (!_awaiter.IsCompleted)
            {
                _awaiter.UnsafeOnCompleted(_onEnded);
                outcome = default;
                return false;
            }

            outcome = Outcome();
            return true;
        }

        private void OnEnded()
        {
            var outcome = Outcome();
            if (Batch is { } batch && _outbox.End(this, batch, outcome))
            {
                _outbox.WriteAll(this);
            }
        }

        [SuppressMessage("Design", "CA1031", Justification = "What the mover of bytes throws must not stop the outbox: it is unknown.")]
        private WriteOutcome Outcome()
        {
            try
            {
                return _awaiter.GetResult();
            }
            catch (Exception failure)
            {
                return new(WriteResult.Unknown, ExceptionText.Brief(failure));
            }
        }
    }

    /// <summary>The frames of one write.</summary>
    private sealed class Batch
    {
        private readonly List<IFrameSender> _senders = [];

        public FrameBuffer Buffer { get; } = new();

        public int Frames { get; private set; }

        /// <summary>Of the frames alone.</summary>
        public int Bytes { get; private set; }

        public void Add(IFrameSender? sender, int bytes)
        {
            Frames++;
            Bytes += bytes;
            if (sender is not null)
            {
                _senders.Add(sender);
            }
        }

        public void Tell(WriteOutcome outcome)
        {
            foreach (var sender in CollectionsMarshal.AsSpan(_senders))
            {
                sender.OnSent(outcome);
            }
        }

        public void Clear()
        {
            (Frames, Bytes) = (0, 0);
            _senders.Clear();
            Buffer.Truncate(0);
        }
    }
}
