using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

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

    /// <summary>The channel on which nodes tell each other what is no message: see <see cref="Notice"/>.</summary>
    string NoticeChannel { get; }

    /// <summary>The key that the one member of a group sets which takes a message.</summary>
    string ClaimKey(MessageId message, string group);

    /// <summary>The topic of a request or signal channel; false for a name that is none.</summary>
    bool TryReadTopic(string channel, MessageKind kind, out Topic topic);

    /// <summary>Why this wire cannot carry a message; null when it can.</summary>
    string? Complain(Message message);

    byte[] Write(Message message);

    bool TryReadMessage(MessageKind kind, Topic topic, ReadOnlyMemory<byte> frame, TimeProvider clock, [NotNullWhen(true)] out Message? message, [NotNullWhen(false)] out string? error);

    /// <summary>The channel on which a request is answered.</summary>
    string ReplyChannel(MessageId request);

    /// <summary>
    /// True when the sender of a request counts the refusals of the nodes that heard it. A foreign one does not, and
    /// takes the first reply for the answer.
    /// </summary>
    bool CountsRefusals(MessageId request);

    byte[] Write(MessageId request, Answer answer);

    bool TryReadAnswer(RedisChannel channel, ReadOnlyMemory<byte> frame, out long request, [NotNullWhen(true)] out Answer? answer, [NotNullWhen(false)] out string? error);

    /// <summary>The number of the request that a reply is for, without looking at the rest of it.</summary>
    bool TryReadRequestNumber(string channel, ReadOnlyMemory<byte> frame, out long request);

    /// <summary>The id of a request, without looking at the rest of it; false where it cannot be had so cheaply.</summary>
    bool TryReadId(ReadOnlyMemory<byte> request, out MessageId id);

    byte[] Write(Notice notice);

    bool TryReadNotice(ReadOnlyMemory<byte> frame, [NotNullWhen(true)] out Notice? notice);
}

/// <summary>
/// What travels back for a request: the reply of the member that took it, or that a node cannot take it in any of its
/// groups. Only when all who heard the request refuse is a refusal the reply.
/// </summary>
/// <param name="Reply">The reply, or why the node refuses.</param>
/// <param name="RefusedGroups">The groups that the node is in and refuses for; null for a reply.</param>
internal sealed record Answer(ReplyMessage Reply, IReadOnlyList<string>? RefusedGroups = null);

/// <summary>
/// Either a caller waits no more for <see cref="Cancelled"/>, or a node has left the <see cref="Departed"/> groups of
/// request topics and hears nothing of them any more.
/// </summary>
internal sealed record Notice(MessageId? Cancelled, IReadOnlyList<(string Topic, string Group)> Departed)
{
    public static Notice Cancel(MessageId request) => new(request, []);

    public static Notice Depart(IEnumerable<Subscription> subscriptions) =>
        new(null, [.. subscriptions.Where(s => s.Kind == MessageKind.Request).Select(s => (s.Pattern.ToString(), s.Group!))]);
}
