namespace ServiceMesh.Http;

/// <summary>
/// What the caller's content is written to: it remembers that the connection failed, so that everything else which ends the
/// upload is the content's own doing; so is another length than it said. Written by one writer, as every stream.
/// </summary>
/// <param name="connection">What it goes to; it stays open.</param>
/// <param name="length">What <c>Content-Length</c> says; null when nothing.</param>
internal sealed class UploadStream(Stream connection, long? length) : Stream
{
    private long _written;

    /// <summary>Whether a write to the connection failed.</summary>
    public bool HasFailed { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The content has written all that it has.</summary>
    /// <exception cref="HttpRequestException">That is less than it said.</exception>
    public void Complete()
    {
        if (_written < length)
        {
            throw new HttpRequestException($"The content of the request has {_written} bytes, and its Content-Length is {length}.");
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Count(buffer.Length);
        try
        {
            await connection.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            HasFailed = true;
            throw;
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count)
    {
        Count(count);
        try
        {
            connection.Write(buffer, offset, count);
        }
        catch
        {
            HasFailed = true;
            throw;
        }
    }

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await connection.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            HasFailed = true;
            throw;
        }
    }

    public override void Flush()
    {
        try
        {
            connection.Flush();
        }
        catch
        {
            HasFailed = true;
            throw;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    // Before it reaches the connection, which would fail of it.
    private void Count(int bytes)
    {
        _written += bytes;
        if (_written > length)
        {
            throw new HttpRequestException($"The content of the request has more bytes than its Content-Length says, which is {length}.");
        }
    }
}
