namespace ServiceMesh.Links;

/// <summary>What became of a write.</summary>
internal enum WriteResult
{
    /// <summary>The other node's side has it.</summary>
    Written,

    /// <summary>It certainly did not go out.</summary>
    NotWritten,

    /// <summary>It was taken, and no node was there to receive it.</summary>
    NoReceiver,

    /// <summary>It may have gone out: the connection broke, or no answer came in time.</summary>
    Unknown,
}

/// <summary>How a write ended.</summary>
/// <param name="Result">What became of it.</param>
/// <param name="Reason">In a sentence, unless it was written.</param>
internal readonly record struct WriteOutcome(WriteResult Result, string? Reason = null)
{
    public static WriteOutcome Written => default;
}

/// <summary>
/// Writes the gathered frames of one target. Called for one write at a time. It must end in a bounded time or when the token
/// fires, and must not keep the bytes beyond its end unless it ends with <see cref="WriteResult.Unknown"/>.
/// </summary>
/// <param name="bytes">A preamble, where the outbox was given one, and one or more whole frames.</param>
/// <param name="cancellationToken">Fires when the outbox closes.</param>
internal delegate ValueTask<WriteOutcome> FrameWrite(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

/// <summary>Is told once what became of a frame that was put into an outbox. Called without a lock; must be quick and not throw.</summary>
internal interface IFrameSender
{
    /// <summary>The write that carried the frame has ended.</summary>
    void OnSent(WriteOutcome outcome);
}
