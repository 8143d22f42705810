namespace ServiceMesh.Http;

/// <summary>
/// The stream that the caller's content is written to. It remembers a failure of the connection, so that every other failure of the upload
/// is known to be one of the content, for instance a length that differs from Content-Length. Like every stream it has one writer.
/// </summary>
/// <param name="connection">The stream of the connection, which stays open.</param>
/// <param name="length">The value of <c>Content-Length</c>; null if there is none.</param>
internal sealed class UploadStream(Stream connection, long? length) : Stream
{
    private long _written;

    /// <summary>Whether a write to the connection failed.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Whether a byte was written.</summary>
    public bool HasBegun => _written > 0;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The content has been written completely.</summary>
    /// <exception cref="HttpRequestException">It is shorter than its Content-Length.</exception>
    public void Complete()
    {
        if (_written < length)
        {
            throw new HttpRequestException($"The content of the request has {_written} bytes, but its Content-Length is {length}.");
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Count(buffer.Length);
        try
        {
            var writing = connection.WriteAsync(buffer, cancellationToken);
            return writing.IsCompletedSuccessfully ? writing : WatchAsync(writing);
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

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            var flushing = connection.FlushAsync(cancellationToken);
            return flushing.IsCompletedSuccessfully ? flushing : WatchAsync(new(flushing)).AsTask();
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

    private async ValueTask WatchAsync(ValueTask work)
    {
        try
        {
            await work.ConfigureAwait(false);
        }
        catch
        {
            HasFailed = true;
            throw;
        }
    }

    // Checked before the bytes reach the connection, which would fail.
    private void Count(int bytes)
    {
        _written += bytes;
        if (_written > length)
        {
            throw new HttpRequestException($"The content of the request has more bytes than its Content-Length, which is {length}.");
        }
    }
}
