using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The project's own wire: a compact binary frame with a version. <c>docs/redis-wire.md</c> describes every byte of it,
/// so that other languages can speak it.
/// </summary>
internal sealed class NativeWire(string prefix) : IRedisWire
{
    public const byte Version = 1;

    private const byte JsonMark = 1;
    private const byte MessagePackMark = 2;
    private const string Json = "application/json";
    private const string MessagePack = "application/msgpack";

    private readonly string _requests = $"{prefix}:request:";
    private readonly string _signals = $"{prefix}:signal:";
    private readonly string _replies = $"{prefix}:reply:";
    private readonly string _claims = $"{prefix}:claim:";

    private enum Kind : byte
    {
        Request = 1,
        Signal = 2,
        Reply = 3,
        Cancel = 4,
        Depart = 5,
    }

    [Flags]
    private enum ReplyFlags : byte
    {
        None = 0,
        HasError = 1,
        NotProcessed = 2,
        Refusal = 4,
    }

    public string NoticeChannel { get; } = $"{prefix}:notice";

    public string RequestChannel(Topic topic) => _requests + topic;

    public string SignalChannel(TopicPattern pattern) => _signals + pattern;

    public string ReplySubscription(string nodeId) => _replies + nodeId;

    public string ReplyChannel(MessageId request) => _replies + request.Node;

    // Written out, because one is made for each message and member: the text of the id would be made just for it.
    public string ClaimKey(MessageId message, string group) => message.Number < 0
        ? $"{_claims}{message.Node}:{group}"
        : string.Create(CultureInfo.InvariantCulture, $"{_claims}{message.Node}.{message.Number}:{group}");

    public bool TryReadTopic(string channel, MessageKind kind, out Topic topic)
    {
        var start = kind == MessageKind.Request ? _requests : _signals;
        topic = default;
        return channel.StartsWith(start, StringComparison.Ordinal) && Topic.TryParse(channel[start.Length..], out topic);
    }

    public string? Complain(Message message) => null;

    public byte[] Write(Message message)
    {
        var output = Scratch.Take();
        var frame = Begin(output, message.Kind == MessageKind.Request ? Kind.Request : Kind.Signal);
        frame.Int64(message.Id.Number);
        frame.Text(message.Id.Node);
        // 0 stands for no deadline; one that exists is at least 1.
        frame.Varint((uint)Math.Clamp(message.Deadline.RemainingMilliseconds is { } left ? Math.Max(left, 1) : 0, 0, uint.MaxValue));
        frame.Headers(message.Headers);
        WriteContentType(frame, message.ContentType);
        frame.Rest(message.Body);
        return Scratch.Return(output);
    }

    public bool TryReadMessage(
        MessageKind kind, Topic topic, ReadOnlyMemory<byte> bytes, TimeProvider clock, [NotNullWhen(true)] out Message? message, [NotNullWhen(false)] out string? error)
    {
        message = null;
        var frame = new FrameReader(bytes.Span);
        if (!TryBegin(ref frame, kind == MessageKind.Request ? Kind.Request : Kind.Signal, out error))
        {
            return false;
        }

        var number = frame.Int64();
        var node = frame.Text();
        var remaining = frame.Varint();
        var headers = frame.Headers();
        var contentType = ReadContentType(ref frame);
        if (frame.IsBroken || node.Length == 0)
        {
            error = "The frame ends in the middle of a field, or a field is malformed.";
            return false;
        }

        message = new()
        {
            Id = new(node, number),
            Kind = kind,
            Topic = topic,
            Headers = headers,
            ContentType = contentType,
            Deadline = remaining == 0 ? Deadline.None : Deadline.After(TimeSpan.FromMilliseconds(remaining), clock),
            Body = bytes[frame.Position..],
        };
        return true;
    }

    public bool CountsRefusals(MessageId request) => true;

    public byte[] Write(MessageId request, Answer answer)
    {
        var (reply, refused) = (answer.Reply, answer.RefusedGroups);
        var output = Scratch.Take();
        var frame = Begin(output, Kind.Reply);
        frame.Int64(request.Number);
        frame.Varint((uint)reply.Status);
        frame.Byte((byte)(
            (reply.Error is null ? ReplyFlags.None : ReplyFlags.HasError)
            | (reply.NotProcessed ? ReplyFlags.NotProcessed : ReplyFlags.None)
            | (refused is null ? ReplyFlags.None : ReplyFlags.Refusal)));
        if (reply.Error is not null)
        {
            frame.Text(reply.Error);
        }

        if (refused is not null)
        {
            frame.Varint((uint)refused.Count);
            foreach (var group in refused)
            {
                frame.Text(group);
            }
        }

        frame.Headers(reply.Headers);
        WriteContentType(frame, reply.ContentType);
        frame.Rest(reply.Body);
        return Scratch.Return(output);
    }

    public bool TryReadAnswer(
        RedisChannel channel, ReadOnlyMemory<byte> bytes, out long request, [NotNullWhen(true)] out Answer? answer, [NotNullWhen(false)] out string? error)
    {
        answer = null;
        request = 0;
        var frame = new FrameReader(bytes.Span);
        if (!TryBegin(ref frame, Kind.Reply, out error))
        {
            return false;
        }

        request = frame.Int64();
        var status = frame.Varint();
        var flags = (ReplyFlags)frame.Byte();
        var sentence = (flags & ReplyFlags.HasError) != 0 ? frame.Text() : null;
        var refused = (flags & ReplyFlags.Refusal) != 0 ? ReadGroups(ref frame) : null;
        var headers = frame.Headers();
        var contentType = ReadContentType(ref frame);
        if (frame.IsBroken || status is < 100 or > 999)
        {
            error = "The frame ends in the middle of a field, or a field is malformed.";
            return false;
        }

        answer = new(
            new()
            {
                Status = (StatusCode)status,
                Error = sentence,
                NotProcessed = (flags & ReplyFlags.NotProcessed) != 0,
                Headers = headers,
                ContentType = contentType,
                Body = bytes[frame.Position..],
            },
            refused);
        return true;
    }

    public bool TryReadRequestNumber(string channel, ReadOnlyMemory<byte> bytes, out long request)
    {
        var frame = new FrameReader(bytes.Span);
        request = TryBegin(ref frame, Kind.Reply, out _) ? frame.Int64() : 0;
        return !frame.IsBroken && request > 0;
    }

    public bool TryReadId(ReadOnlyMemory<byte> bytes, out MessageId id)
    {
        var frame = new FrameReader(bytes.Span);
        var number = TryBegin(ref frame, Kind.Request, out _) ? frame.Int64() : 0;
        id = new(number > 0 ? frame.Text() : "", number);
        return !frame.IsBroken && id.Node.Length > 0;
    }

    public byte[] Write(Notice notice)
    {
        var output = Scratch.Take();
        if (notice.Cancelled is { } request)
        {
            var cancel = Begin(output, Kind.Cancel);
            cancel.Int64(request.Number);
            cancel.Text(request.Node);
            return Scratch.Return(output);
        }

        var depart = Begin(output, Kind.Depart);
        depart.Varint((uint)notice.Departed.Count);
        foreach (var (topic, group) in notice.Departed)
        {
            depart.Text(topic);
            depart.Text(group);
        }

        return Scratch.Return(output);
    }

    public bool TryReadNotice(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out Notice? notice)
    {
        notice = null;
        var frame = new FrameReader(bytes.Span);
        if (frame.Byte() != Version)
        {
            return false;
        }

        switch ((Kind)frame.Byte())
        {
            case Kind.Cancel:
                var number = frame.Int64();
                notice = Notice.Cancel(new(frame.Text(), number));
                break;
            case Kind.Depart:
                var departed = new List<(string, string)>();
                for (var left = frame.Varint(); left > 0 && !frame.IsBroken; left--)
                {
                    departed.Add((frame.Text(), frame.Text()));
                }

                notice = new(null, departed);
                break;
            default:
                return false;
        }

        return !frame.IsBroken;
    }

    private static FrameWriter Begin(ArrayBufferWriter<byte> output, Kind kind)
    {
        var frame = new FrameWriter(output);
        frame.Byte(Version);
        frame.Byte((byte)kind);
        return frame;
    }

    private static bool TryBegin(ref FrameReader frame, Kind expected, [NotNullWhen(false)] out string? error)
    {
        var version = frame.Byte();
        var kind = frame.Byte();
        error = frame.IsBroken ? "The frame has no beginning."
            : version != Version ? $"The frame has version {version}; this node reads version {Version}."
            : kind != (byte)expected ? $"The frame is of kind {kind}; {(byte)expected} belongs on this channel."
            : null;
        return error is null;
    }

    // Not allocated by the count, which a stranger may have written: the list grows with the bytes that are there.
    private static List<string> ReadGroups(ref FrameReader frame)
    {
        var groups = new List<string>();
        for (var left = frame.Varint(); left > 0 && !frame.IsBroken; left--)
        {
            groups.Add(frame.Text());
        }

        return groups;
    }

    private static void WriteContentType(FrameWriter frame, string contentType)
    {
        switch (contentType)
        {
            case Json:
                frame.Byte(JsonMark);
                break;
            case MessagePack:
                frame.Byte(MessagePackMark);
                break;
            default:
                frame.Byte(0);
                frame.Text(contentType);
                break;
        }
    }

    private static string ReadContentType(ref FrameReader frame) => frame.Byte() switch
    {
        JsonMark => Json,
        MessagePackMark => MessagePack,
        _ => frame.Text(),
    };
}
