namespace ServiceMesh.Http;

/// <summary>
/// The body of a response on its way to the caller: the bytes that were read ahead, then the rest. Silence on the connection ends it, and
/// its end, in any way, is the end of the attempt. Like every stream it has one reader.
/// </summary>
internal sealed class BodyStream : Stream
{
    // Who ends the attempt: the pipeline, when it has the result, or this stream at its end.
    private const int EndsWithResult = 0;
    private const int EndsWithStream = 1;
    private const int HasEnded = 2;

    private readonly Stream _rest;
    private readonly TimeSpan _idle;
    private readonly string _name;
    private readonly TimedScopes _scopes;
    private readonly Endpoint _endpoint;
    private ReadOnlyMemory<byte> _ahead;
    private CircuitPass? _pass;
    private PendingRead? _pending;
    private long _read;
    private int _state = EndsWithResult;

    /// <param name="rest">The stream of the connection.</param>
    /// <param name="idle">How long no byte may arrive.</param>
    /// <param name="scopes">Makes the tokens of reads.</param>
    /// <param name="endpoint">The endpoint that sent the response.</param>
    /// <param name="name">The name of the endpoint for messages.</param>
    public BodyStream(Stream rest, TimeSpan idle, TimedScopes scopes, Endpoint endpoint, string name)
    {
        _rest = rest;
        _idle = idle;
        _endpoint = endpoint;
        _name = name;
        _scopes = scopes;
    }

    // Without it, a response that the caller forgets to dispose would count as in flight forever.
    ~BodyStream() => Dispose(false);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>
    /// From now on the attempt lasts until the end of this stream. False if the stream has ended already: then the attempt ends with its
    /// result.
    /// </summary>
    public bool TryHoldAttempt() => Interlocked.CompareExchange(ref _state, EndsWithStream, EndsWithResult) == EndsWithResult;

    /// <summary>Puts bytes back that were read before. It must not be called while the stream is read.</summary>
    /// <param name="bytes">The bytes that were read.</param>
    /// <param name="pending">A read that is under way and follows them; null if there is none.</param>
    public void PutBack(ReadOnlyMemory<byte> bytes, PendingRead? pending = null) => (_ahead, _pending) = (bytes, pending);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        buffer.IsEmpty || (_ahead.IsEmpty && _pending is null) ? ReadRestAsync(buffer, cancellationToken)
        : _ahead.IsEmpty ? ReadPendingAsync(buffer, cancellationToken)
        : new(ReadAhead(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        _pending is null
            ? Read(buffer.AsSpan(offset, count))
            : ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    /// <summary>Reads on the thread of the caller, so that no other thread is needed for it.</summary>
    public override int Read(Span<byte> buffer)
    {
        if (_pending is not null)
        {
            var bytes = new byte[buffer.Length];
            var length = Read(bytes, 0, bytes.Length);
            bytes.AsSpan(0, length).CopyTo(buffer);
            return length;
        }

        return buffer.IsEmpty || _ahead.IsEmpty ? ReadRest(buffer) : ReadAhead(buffer);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        End();
        if (disposing)
        {
            // Its failure, because the stream ends under it, is of no interest.
            _pending?.Reading.ContinueWith(
                static read => read.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            _rest.Dispose();
        }

        base.Dispose(disposing);
    }

    private int ReadAhead(Span<byte> buffer)
    {
        var length = Math.Min(buffer.Length, _ahead.Length);
        _ahead.Span[..length].CopyTo(buffer);
        _ahead = _ahead[length..];
        return length;
    }

    // The read that was under way when the time of the attempt was over.
    private async ValueTask<int> ReadPendingAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        CountFromNow();
        var pending = _pending!;
        int read;
        try
        {
            using var cancelled = cancellationToken.UnsafeRegister(static read => ((PendingRead)read!).Abandon.Cancel(), pending);
            read = await pending.Reading.ConfigureAwait(false);
        }
        catch (OperationCanceledException failure) when (cancellationToken.IsCancellationRequested)
        {
            throw new TaskCanceledException(failure.Message, failure.InnerException, cancellationToken);
        }

        _pending = null;
        _ahead = pending.Bytes[..read];
        return ReadAhead(buffer.Span);
    }

    private async ValueTask<int> ReadRestAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var silence = _scopes.Begin(_idle, cancellationToken);
        try
        {
            CountFromNow();
            var read = await _rest.ReadAsync(buffer, silence.Token).ConfigureAwait(false);
            _read += read;
            if (read == 0 && !buffer.IsEmpty)
            {
                End();
            }

            return read;
        }
        catch (Exception failure) when (cancellationToken.IsCancellationRequested)
        {
            End();
            throw new TaskCanceledException(failure.Message, failure, cancellationToken);
        }
        catch (Exception failure) when (silence.HasTimedOut)
        {
            Fail();
            throw new IOException(failure.Message, new PhaseTimeoutException(TimeoutPhase.Idle, _idle, _name, failure));
        }
        catch
        {
            Fail();
            throw;
        }
        finally
        {
            silence.End(isReleased: true);
        }
    }

    // A read that blocks cannot be cancelled. Silence ends it by disposing the stream, as the platform does it for synchronous requests.
    private int ReadRest(Span<byte> buffer)
    {
        var silence = _scopes.Begin(_idle, CancellationToken.None);
        try
        {
            CountFromNow();
            using var end = silence.Token.UnsafeRegister(static rest => ((Stream)rest!).Dispose(), _rest);
            var read = _rest.Read(buffer);
            _read += read;
            if (read == 0 && !buffer.IsEmpty)
            {
                End();
            }

            return read;
        }
        catch (Exception failure) when (silence.HasTimedOut)
        {
            Fail();
            throw new IOException(failure.Message, new PhaseTimeoutException(TimeoutPhase.Idle, _idle, _name, failure));
        }
        catch
        {
            Fail();
            throw;
        }
        finally
        {
            silence.End(isReleased: true);
        }
    }

    // The headers counted as a success, which may have closed the circuit. A break from now on counts in the circuit that is closed now.
    private void CountFromNow()
    {
        if (_pass is null && Volatile.Read(ref _state) == EndsWithStream)
        {
            _pass = _endpoint.Breaker.PassWhileClosed;
        }
    }

    // Only the first end counts: a failure after the caller has disposed the stream is not a failure of the endpoint.
    private void Fail()
    {
        if (Volatile.Read(ref _state) == EndsWithStream)
        {
            AttemptOutcome.OfFailure(wasSent: true).ApplyTo(_endpoint, _pass);
        }

        End();
    }

    private void End()
    {
        var before = Interlocked.Exchange(ref _state, HasEnded);
        if (before == HasEnded)
        {
            return;
        }

        _endpoint.RecordBytes(_read);
        if (before == EndsWithStream)
        {
            _endpoint.End();
        }
    }
}

/// <summary>A read that is under way before the caller reads.</summary>
/// <param name="Reading">The read.</param>
/// <param name="Bytes">The memory that it reads into.</param>
/// <param name="Abandon">Ends the read; that says nothing about the endpoint.</param>
internal sealed record PendingRead(Task<int> Reading, ReadOnlyMemory<byte> Bytes, CancellationTokenSource Abandon);
