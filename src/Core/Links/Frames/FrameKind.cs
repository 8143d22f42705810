namespace ServiceMesh.Links;

/// <summary>What a frame is. The numbers are the bytes on the wire: <c>docs/wire.md</c>.</summary>
internal enum FrameKind : byte
{
    /// <summary>Not a kind: what an unreadable frame has.</summary>
    None = 0,

    /// <summary>Wants one <see cref="Reply"/> or <see cref="Refusal"/> with the same id.</summary>
    Request = 1,

    /// <summary>The outcome of a request that its receiver accepted.</summary>
    Reply = 2,

    /// <summary>The receiver did not take the request or the signal: another member may.</summary>
    Refusal = 3,

    /// <summary>The sender of a request has stopped waiting for it.</summary>
    Cancel = 4,

    /// <summary>Asks for a <see cref="Pong"/> with the same id. A node also sends it to itself, as its beat.</summary>
    Ping = 5,

    /// <summary>The answer to a <see cref="Ping"/>.</summary>
    Pong = 6,

    /// <summary>One copy of a signal for one member of a group. Accepted with an empty <see cref="Reply"/>, or refused.</summary>
    Signal = 7,

    /// <summary>Reserved for streaming replies: one item.</summary>
    StreamItem = 8,

    /// <summary>Reserved for streaming replies: how many more items the caller takes.</summary>
    Credit = 9,

    /// <summary>The sender has taken over the receiver's change of the directory that has this id.</summary>
    Applied = 10,

    /// <summary>The sender leaves: the other end sends nothing more on this stream and ends its half of it.</summary>
    Leave = 11,
}
