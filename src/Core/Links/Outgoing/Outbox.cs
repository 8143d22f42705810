using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace ServiceMesh.Links;

/// <summary>
/// The frames that leave for one target. One write is under way at a time; what comes meanwhile goes with the next one. So a
/// single caller waits for nothing, and many callers share a write. Nothing waits on purpose. Thread-safe.
/// </summary>
/// <remarks>
/// The buffer of a write whose outcome is unknown is left to the garbage collector: the connection may still read it.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "CloseAsync ends the writing and disposes what it uses.")]
internal sealed class Outbox(byte[] preamble, FrameWrite write, LinkOptions options, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Queue<Batch> _waiting = new();
    private readonly CancellationTokenSource _closing = new();
    private Batch? _last;
    private Batch? _spare;
    private Task _writing = Task.CompletedTask;
    private TaskCompletionSource? _idle;
    private bool _isWriting;
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
    public bool TryAdd<T>(Action<FrameBuffer, T> encode, T state, IFrameSender? sender)
    {
        lock (_lock)
        {
            if (_isClosed || _frames >= options.MaxWaitingFrames || (_bytes >= options.MaxWaitingBytes && _frames > 0))
            {
                return false;
            }

            AppendNeedsLock(encode, state, sender);
            if (_isWriting || _isHeld)
            {
                return true;
            }

            _isWriting = true;
        }

        Begin();
        return true;
    }

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
        await Volatile.Read(ref _writing).ConfigureAwait(false);
        _closing.Dispose();
    }

    private void AppendNeedsLock<T>(Action<FrameBuffer, T> encode, T state, IFrameSender? sender)
    {
        var batch = _last ?? NewBatchNeedsLock();
        var before = batch.Buffer.Length;
        encode(batch.Buffer, state);
        var size = batch.Buffer.Length - before;
        if (batch.Buffer.Length > options.MaxBatchBytes && batch.Frames > 0)
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
        var batch = _spare ?? new();
        _spare = null;
        batch.Buffer.Raw(preamble);
        _waiting.Enqueue(batch);
        _last = batch;
        return batch;
    }

    // The first write begins on the thread of the frame that found the outbox idle.
    private void Begin() => Volatile.Write(ref _writing, WriteAllAsync());

    private async Task WriteAllAsync()
    {
        // While frames keep coming it goes on for many callers, and must not keep the context of the first.
        CleanContext.Enter();
        while (true)
        {
            Batch batch;
            lock (_lock)
            {
                if (_isHeld || !_waiting.TryDequeue(out batch!))
                {
                    _isWriting = false;
                    if (_waiting.Count == 0)
                    {
                        _idle?.TrySetResult();
                        _idle = null;
                    }

                    return;
                }

                _last = ReferenceEquals(_last, batch) ? null : _last;
            }

            var outcome = await WriteAsync(batch.Buffer.Written).ConfigureAwait(false);
            lock (_lock)
            {
                _frames -= batch.Frames;
                _bytes -= batch.Bytes;
            }

            if (outcome.Result == WriteResult.Written)
            {
                OnWritten?.Invoke(batch.Buffer.Length);
            }

            batch.Tell(outcome);
            Recycle(batch, mayStillBeRead: outcome.Result == WriteResult.Unknown);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A mover of bytes that throws must not stop the outbox: the outcome is unknown.")]
    private async ValueTask<WriteOutcome> WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            var writing = write(bytes, _closing.Token);
            return writing.IsCompletedSuccessfully
                ? writing.Result
                : await writing.AsTask().WaitAsync(options.WriteTimeout, clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return new(WriteResult.Unknown, $"The write was not acknowledged within {options.WriteTimeout.TotalSeconds:0.###} s.");
        }
        catch (Exception failure)
        {
            return new(WriteResult.Unknown, ExceptionText.Brief(failure));
        }
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
