using System.Net.Http.Headers;

namespace ServiceMesh.Http;

/// <summary>The body of the request that opens a session: it stays open, and frames are written to it until it is ended.</summary>
internal sealed class SessionContent : HttpContent
{
    private readonly ReadOnlyMemory<byte> _preamble;
    private readonly TaskCompletionSource<Stream> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SessionContent(ReadOnlyMemory<byte> preamble)
    {
        _preamble = preamble;
        Headers.ContentType = new MediaTypeHeaderValue(SessionProtocol.ContentType);
    }

    /// <summary>Completes when the preamble is written and frames may follow.</summary>
    public Task<Stream> Opened => _opened.Task;

    /// <summary>Ends the body in good order.</summary>
    public void End() => _ended.TrySetResult();

    protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, System.Net.TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(_preamble, cancellationToken).ConfigureAwait(false);
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        _opened.TrySetResult(stream);
        await _ended.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
