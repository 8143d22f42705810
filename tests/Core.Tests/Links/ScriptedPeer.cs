using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>The other end of an outbox or a link: the test sets the outcome of each write and reads what was written.</summary>
internal sealed class ScriptedPeer
{
    private readonly Queue<(byte[] Bytes, TaskCompletionSource<WriteOutcome> Outcome)> _open = new();
    private readonly TextPool _texts = new();

    /// <summary>When set, each write ends at once with this outcome.</summary>
    public WriteOutcome? Always { get; set; }

    public List<byte[]> Writes { get; } = [];

    public FrameWrite Write => (bytes, cancellationToken) =>
    {
        lock (_open)
        {
            Writes.Add(bytes.ToArray());
            if (Always is { } outcome)
            {
                return new(outcome);
            }

            var source = new TaskCompletionSource<WriteOutcome>();
            cancellationToken.Register(() => source.TrySetResult(new(WriteResult.Unknown, "closed")));
            _open.Enqueue((bytes.ToArray(), source));
            return new(source.Task);
        }
    };

    /// <summary>Ends the current write; the next one begins.</summary>
    public void End(WriteOutcome outcome)
    {
        TaskCompletionSource<WriteOutcome> source;
        lock (_open)
        {
            source = _open.Dequeue().Outcome;
        }

        source.SetResult(outcome);
    }

    /// <summary>The frames of one write.</summary>
    public Frame[] Frames(int write, int preamble = 0)
    {
        ReadOnlyMemory<byte> left = Writes[write].AsMemory(preamble);
        var frames = new List<Frame>();
        while (FrameReader.Read(left, int.MaxValue, _texts, out var frame, out var consumed, out _) == FrameStatus.Read)
        {
            frames.Add(frame);
            left = left[consumed..];
        }

        return [.. frames];
    }
}
