using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using ServiceMesh.Links;

namespace ServiceMesh.Http;

/// <summary>
/// The half of a stream that frames are written to, one write at a time. After a write that failed or was given up, what the other
/// end has received is not known, so the stream is broken. Thread-safe.
/// </summary>
/// <param name="stream">The stream.</param>
/// <param name="mustFlush">Whether a write alone does not send the bytes.</param>
/// <param name="broken">Is told why the stream is broken.</param>
/// <param name="lifetime">Ends a write at once.</param>
internal sealed class FrameSink(Stream stream, bool mustFlush, Action<string> broken, CancellationToken lifetime)
{
    private int _isWriting;
    private volatile string? _whyClosed;

    /// <summary>Writes nothing more: what is not handed over yet is not sent.</summary>
    public void Close(string why) => _whyClosed ??= why;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    [SuppressMessage("Design", "CA1031", Justification = "A stream of the platform may throw anything when it breaks: the write failed.")]
    public async ValueTask<WriteOutcome> WriteAsync(ReadOnlyMemory<byte> frames)
    {
        if (_whyClosed is { } why)
        {
            return new(WriteResult.NotWritten, why);
        }

        if (Interlocked.Exchange(ref _isWriting, 1) == 1)
        {
            Break("a write was not taken in time");
            return new(WriteResult.NotWritten, _whyClosed);
        }

        try
        {
            await stream.WriteAsync(frames, lifetime).ConfigureAwait(false);
            if (mustFlush)
            {
                await stream.FlushAsync(lifetime).ConfigureAwait(false);
            }

            Volatile.Write(ref _isWriting, 0);
            return WriteOutcome.Written;
        }
        catch (Exception failure)
        {
            Break($"a write failed: {ExceptionText.Brief(failure)}");
            return new(WriteResult.Unknown, _whyClosed);
        }
    }

    private void Break(string why)
    {
        Close(why);
        broken(why);
    }
}
