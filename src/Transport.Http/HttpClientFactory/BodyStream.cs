namespace ServiceMesh.Http;

/// <summary>
/// The body of a response on its way to the caller: the bytes that were read ahead, then the rest. Silence on the connection ends it, and
/// its end, in any way, is the end of the attempt. Like every stream it has one reader.
/// </summary>
internal sealed class BodyStream : Stream
{
    private readonly Stream _rest;
    private readonly TimeSpan _idle;
    private readonly string _name;
    private readonly CancellationTokenSource _silence;
    private readonly Endpoint _endpoint;
    private ReadOnlyMemory<byte> _ahead;
    private CircuitPass? _pass;
    private long _read;
    private int _hasEnded;

    /// <param name="rest">The stream of the connection.</param>
    /// <param name="idle">How long no byte may arrive.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="endpoint">The endpoint that sent the response.</param>
    /// <param name="name">The name of the endpoint for messages.</param>
    public BodyStream(Stream rest, TimeSpan idle, TimeProvider clock, Endpoint endpoint, string name)
    {
        _rest = rest;
        _idle = idle;
        _endpoint = endpoint;
        _name = name;
        _silence = new(Timeout.InfiniteTimeSpan, clock);
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

    /// <summary>Whether the attempt lasts until the end of this stream.</summary>
    public bool HoldsAttempt { get; set; }

    /// <summary>Puts bytes back that were read before.</summary>
    public void PutBack(ReadOnlyMemory<byte> bytes) => _ahead = bytes;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_ahead.IsEmpty || buffer.IsEmpty)
        {
            return ReadRestAsync(buffer, cancellationToken);
        }

        var length = Math.Min(buffer.Length, _ahead.Length);
        _ahead.Span[..length].CopyTo(buffer.Span);
        _ahead = _ahead[length..];
        return new(length);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

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
            _rest.Dispose();
            _silence.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadRestAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            // The headers counted as a success, which may have closed the circuit. A break from now on counts in the circuit that is closed
            // now.
            _pass ??= HoldsAttempt ? _endpoint.Breaker.PassWhileClosed : null;
            using var cancelled = cancellationToken.UnsafeRegister(
                static silence => ((CancellationTokenSource)silence!).Cancel(), _silence);
            var reading = _rest.ReadAsync(buffer, _silence.Token);
            if (!reading.IsCompleted)
            {
                _silence.CancelAfter(_idle);
            }

            var read = await reading.ConfigureAwait(false);
            _silence.CancelAfter(Timeout.InfiniteTimeSpan);
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
            throw new OperationCanceledException(failure.Message, failure, cancellationToken);
        }
        catch (Exception failure) when (_silence.IsCancellationRequested)
        {
            Fail();
            throw new IOException(failure.Message, new PhaseTimeoutException(TimeoutPhase.Idle, _idle, _name, failure));
        }
        catch
        {
            Fail();
            throw;
        }
    }

    // Only the first end counts: a failure after the caller has disposed the stream is not a failure of the endpoint.
    private void Fail()
    {
        if (HoldsAttempt && Volatile.Read(ref _hasEnded) == 0)
        {
            AttemptOutcome.OfFailure(wasSent: true).ApplyTo(_endpoint, _pass);
        }

        End();
    }

    private void End()
    {
        if (Interlocked.Exchange(ref _hasEnded, 1) != 0)
        {
            return;
        }

        _endpoint.RecordBytes(_read);
        if (HoldsAttempt)
        {
            _endpoint.End();
        }
    }
}
