namespace ServiceMesh.Links;

/// <summary>Why bytes are not a frame. The name is the reason under which the frame is counted.</summary>
internal enum FrameFault
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The packet does not begin with the mark of this protocol.</summary>
    ForeignPacket,

    /// <summary>The packet has another version of the protocol.</summary>
    OtherVersion,

    /// <summary>The sender is missing, too long, or not a node id.</summary>
    MalformedSender,

    /// <summary>The length of a frame is zero, or larger than the bytes that follow or the limit.</summary>
    WrongLength,

    /// <summary>This version does not know the kind.</summary>
    UnknownKind,

    /// <summary>The kind is reserved for a later version.</summary>
    ReservedKind,

    /// <summary>A flag is set that this version does not know.</summary>
    UnknownFlag,

    /// <summary>The frame ends inside a field.</summary>
    TruncatedField,

    /// <summary>A text is not UTF-8, or longer than its field allows.</summary>
    MalformedText,

    /// <summary>The topic or the group is outside its grammar.</summary>
    MalformedTopic,

    /// <summary>The headers are outside their limits.</summary>
    MalformedHeaders,

    /// <summary>A number is written too long or lies outside its range.</summary>
    MalformedNumber,

    /// <summary>Bytes follow after the last field.</summary>
    TrailingBytes,
}
