namespace ServiceMesh.Http;

/// <summary>The body of a request in one attempt. It distinguishes a failure of the caller's content from one of the connection.</summary>
internal sealed class AttemptContent : HttpContent
{
    private readonly RequestBody _body;
    private readonly HttpContent _content;
    private bool _hasBegun;

    public AttemptContent(RequestBody body, HttpContent content)
    {
        _body = body;
        _content = content;
        foreach (var (name, values) in content.Headers.NonValidated)
        {
            Headers.TryAddWithoutValidation(name, values);
        }
    }

    /// <summary>
    /// The exception of the caller's content while it was sent; null if there was none, or if the connection or the end of the attempt was
    /// the cause.
    /// </summary>
    public Exception? OwnFailure { get; private set; }

    /// <summary>
    /// Whether the server certainly did not process the request, and the platform's second sending of it within the attempt failed because
    /// the content cannot be sent again.
    /// </summary>
    public bool IsRefusedAndLost { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, System.Net.TransportContext? context, CancellationToken cancellationToken)
    {
        var isResend = Begin();
        var watched = RequestBody.IsInMemory(_content) ? null : new UploadStream(stream, Headers.ContentLength);
        try
        {
            await _content.CopyToAsync(watched ?? stream, context, cancellationToken).ConfigureAwait(false);
            watched?.Complete();
        }
        catch (Exception failure) when (watched is { HasFailed: false } && !cancellationToken.IsCancellationRequested)
        {
            (OwnFailure, IsRefusedAndLost) = isResend ? (null, true) : (failure, false);
            throw;
        }
        finally
        {
            _body.End();
            if (watched is not null)
            {
                await watched.DisposeAsync().ConfigureAwait(false); // the connection stays open
            }
        }
    }

    protected override void SerializeToStream(Stream stream, System.Net.TransportContext? context, CancellationToken cancellationToken)
    {
        var isResend = Begin();
        using var watched = new UploadStream(stream, Headers.ContentLength);
        try
        {
            Copy(watched, context, cancellationToken);
            watched.Complete();
        }
        catch (Exception failure) when (!watched.HasFailed && !cancellationToken.IsCancellationRequested)
        {
            (OwnFailure, IsRefusedAndLost) = isResend ? (null, true) : (failure, false);
            throw;
        }
        finally
        {
            _body.End();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _content.Headers.ContentLength ?? 0;
        return _content.Headers.ContentLength is not null;
    }

    // Whether the content was sent within the same attempt before. The platform sends it again only if the server certainly did not process
    // it: it refused the stream, or it closed the connection (GOAWAY) and named the last stream that it took.
    private bool Begin()
    {
        var isResend = _hasBegun;
        _hasBegun = true;
        if (!_body.TryBegin(isResend))
        {
            IsRefusedAndLost = isResend;
            throw new InvalidOperationException(isResend
                ? "The server refused the stream of the request, and the body cannot be sent a second time."
                : "The body of the request is still being sent by an earlier attempt and cannot be sent a second time.");
        }

        return isResend;
    }

    // Content that can only be written asynchronously throws before it writes anything.
    private void Copy(UploadStream stream, System.Net.TransportContext? context, CancellationToken cancellationToken)
    {
        try
        {
            _content.CopyTo(stream, context, cancellationToken);
        }
        catch (NotSupportedException) when (!stream.HasBegun)
        {
            _content.CopyToAsync(stream, context, cancellationToken).GetAwaiter().GetResult();
        }
    }
}
