using System.Diagnostics.CodeAnalysis;

namespace ServiceMesh.Redis;

/// <summary>
/// How messages become channels and bytes on Redis, and back. Pure: no I/O, no clock but the one for deadlines.
/// Reading never throws: what cannot be read is a sentence.
/// </summary>
internal interface IRedisWire
{
    /// <summary>The channel on which a topic's requests are published.</summary>
    string RequestChannel(Topic topic);

    /// <summary>The channel, or pattern, on which a topic's signals are published.</summary>
    string SignalChannel(TopicPattern pattern);

    /// <summary>What a node subscribes to once for all its replies.</summary>
    string ReplySubscription(string nodeId);

    /// <summary>The channel on which callers say that they wait no more.</summary>
    string CancelChannel { get; }

    /// <summary>The key that the one member of a group sets which takes a message.</summary>
    string ClaimKey(MessageId message, string group);

    /// <summary>The topic of a request or signal channel; false for a name that is none.</summary>
    bool TryReadTopic(string channel, MessageKind kind, out Topic topic);

    byte[] Write(Message message);

    bool TryReadMessage(MessageKind kind, Topic topic, ReadOnlyMemory<byte> frame, TimeProvider clock, [NotNullWhen(true)] out Message? message, [NotNullWhen(false)] out string? error);

    /// <summary>The channel on which a request is answered.</summary>
    string ReplyChannel(MessageId request);

    byte[] Write(MessageId request, ReplyMessage reply);

    bool TryReadReply(string channel, ReadOnlyMemory<byte> frame, out long request, [NotNullWhen(true)] out ReplyMessage? reply, [NotNullWhen(false)] out string? error);

    byte[] WriteCancel(MessageId request);

    bool TryReadCancel(ReadOnlyMemory<byte> frame, out MessageId request);
}
