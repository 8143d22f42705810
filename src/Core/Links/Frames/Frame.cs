namespace ServiceMesh.Links;

/// <summary>
/// One decoded frame. Which members have a meaning depends on <see cref="Kind"/>. <see cref="Body"/> is a part of the bytes
/// that were read and lives as long as they do.
/// </summary>
internal struct Frame
{
    public FrameKind Kind;

    /// <summary>Names a request or signal between two nodes; its answer carries the same. Rises on each link.</summary>
    public long Id;

    /// <summary>Of a request or signal: the number in its <see cref="MessageId"/>.</summary>
    public long Number;

    public Topic Topic;

    /// <summary>
    /// Of a request or signal: the group that it is for. Empty for a signal to individuals, and for a request to any group of its topic.
    /// </summary>
    public string Group;

    public FrameDeadline Deadline;

    public Headers Headers;

    public string ContentType;

    public ReadOnlyMemory<byte> Body;

    public StatusCode Status;

    /// <summary>Of a reply or refusal: what went wrong; null on success.</summary>
    public string? Error;

    public bool NotProcessed;
    public bool IsOfHandler;

    /// <summary>Of a reply or refusal: its sender takes no new messages.</summary>
    public bool IsLeaving;

    /// <summary>Of a reply or refusal: after how many milliseconds another attempt may succeed; 0 when that is not known.</summary>
    public uint RetryAfter;

    /// <summary>Of a reply, refusal or pong: how busy its sender is, in the unit of the transport.</summary>
    public int Load;

    /// <summary>Of a pong: the name of its sender's own clock; 0 for none.</summary>
    public uint ClockId;

    /// <summary>Of a pong: the time on that clock in milliseconds.</summary>
    public long ClockTime;

    /// <summary>Of a ping: asks whether the request with its id runs there. Of a pong: that request does not.</summary>
    public bool IsAboutRequest;

    /// <summary>Of a ping and its pong: the sender's own timestamp, returned unchanged.</summary>
    public long Stamp;
}

/// <summary>
/// When the caller of a request stops waiting, as it travels: what was left when it was sent, and the same as an instant on a
/// clock that both ends may share. See <see cref="SharedClock"/>.
/// </summary>
/// <param name="RemainingMilliseconds">What was left when the frame was written; 0 for no deadline.</param>
/// <param name="ClockId">Names the shared clock; 0 for none.</param>
/// <param name="Instant">Milliseconds on that clock.</param>
internal readonly record struct FrameDeadline(uint RemainingMilliseconds, uint ClockId = 0, long Instant = 0)
{
    /// <summary>No deadline.</summary>
    public static FrameDeadline None => default;

    public bool Exists => RemainingMilliseconds > 0;
}
