using System.Text;

namespace ServiceMesh.Links;

/// <summary>Writes packets and frames as <c>docs/wire.md</c> describes them. Pure.</summary>
internal static class FrameWriter
{
    /// <summary>What each packet, or each stream, begins with.</summary>
    /// <param name="sender">The id of this node.</param>
    /// <param name="refusesVersion">Whether it tells the other node that its version cannot be read here.</param>
    public static byte[] Preamble(string sender, bool refusesVersion = false)
    {
        var name = Encoding.UTF8.GetBytes(sender);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, WireFormat.MaxSenderBytes, nameof(sender));
        return [WireFormat.Mark, WireFormat.Version, refusesVersion ? WireFormat.RefusesVersion : (byte)0, (byte)name.Length, .. name];
    }

    /// <summary>A request for one member of a group, or a signal: for one member, or for individuals when the group is empty.</summary>
    public static void Message(FrameBuffer to, long id, Message message, string group, FrameDeadline deadline)
    {
        var start = to.BeginFrame();
        to.Byte((byte)(message.Kind == MessageKind.Request ? FrameKind.Request : FrameKind.Signal));
        var hasInstant = deadline is { Exists: true, ClockId: not 0 };
        to.Byte((byte)((deadline.Exists ? WireFormat.HasDeadline : 0) | (hasInstant ? WireFormat.HasInstant : 0)));
        to.Varint((ulong)id);
        to.Varint((ulong)message.Id.Number);
        to.Text(message.Topic.ToString());
        to.Text(group);
        if (deadline.Exists)
        {
            to.Varint(deadline.RemainingMilliseconds);
        }

        if (hasInstant)
        {
            to.UInt32(deadline.ClockId);
            to.Int64(deadline.Instant);
        }

        WriteHeaders(to, message.Headers);
        WriteContentType(to, message.ContentType);
        to.Raw(message.Body.Span);
        to.EndFrame(start);
    }

    /// <summary>The outcome of a request, or that a signal was accepted.</summary>
    public static void Reply(FrameBuffer to, long id, ReplyMessage reply, int load)
    {
        var start = BeginAnswer(to, FrameKind.Reply, id, reply, load);
        WriteHeaders(to, reply.Headers);
        WriteContentType(to, reply.ContentType);
        to.Raw(reply.Body.Span);
        to.EndFrame(start);
    }

    /// <summary>Why this node does not take a request or a signal.</summary>
    public static void Refusal(FrameBuffer to, long id, ReplyMessage refusal, int load) =>
        to.EndFrame(BeginAnswer(to, FrameKind.Refusal, id, refusal, load));

    public static void Cancel(FrameBuffer to, long id)
    {
        var start = Begin(to, FrameKind.Cancel, 0, id);
        to.EndFrame(start);
    }

    /// <summary>A directory notice of the receiver, with this number, is taken over here.</summary>
    public static void Applied(FrameBuffer to, long number) => to.EndFrame(Begin(to, FrameKind.Applied, 0, number));

    public static void Ping(FrameBuffer to, long id, long stamp, bool asksForRequest = false)
    {
        var start = Begin(to, FrameKind.Ping, asksForRequest ? WireFormat.AboutRequest : 0, id);
        to.Int64(stamp);
        to.EndFrame(start);
    }

    public static void Pong(FrameBuffer to, long id, long stamp, int load, bool isNotHere = false)
    {
        var start = Begin(to, FrameKind.Pong, isNotHere ? WireFormat.AboutRequest : 0, id);
        to.Int64(stamp);
        to.Varint((uint)load);
        to.EndFrame(start);
    }

    private static int Begin(FrameBuffer to, FrameKind kind, int flags, long id)
    {
        var start = to.BeginFrame();
        to.Byte((byte)kind);
        to.Byte((byte)flags);
        to.Varint((ulong)id);
        return start;
    }

    private static int BeginAnswer(FrameBuffer to, FrameKind kind, long id, ReplyMessage answer, int load)
    {
        var flags = (answer.Error is null ? 0 : WireFormat.HasError)
            | (answer.NotProcessed ? WireFormat.NotProcessed : 0)
            | (answer.IsOfHandler ? WireFormat.IsOfHandler : 0);
        var start = Begin(to, kind, flags, id);
        to.Varint((uint)answer.Status);
        to.Varint((uint)load);
        if (answer.Error is not null)
        {
            to.Text(
                answer.Error.Length <= ReplyMessage.MaxErrorCharacters
                    ? answer.Error
                    : ExceptionText.Cut(answer.Error, ReplyMessage.MaxErrorCharacters));
        }

        return start;
    }

    private static void WriteHeaders(FrameBuffer to, Headers headers)
    {
        to.Varint((uint)headers.Count);
        if (headers.Count == 0)
        {
            return;
        }

        foreach (var (name, value) in headers)
        {
            to.Text(name);
            to.Text(value);
        }
    }

    private static void WriteContentType(FrameBuffer to, string contentType)
    {
        switch (contentType)
        {
            case WireFormat.Json:
                to.Byte(WireFormat.JsonMark);
                break;
            case WireFormat.MessagePack:
                to.Byte(WireFormat.MessagePackMark);
                break;
            case "":
                to.Byte(WireFormat.NoContentMark);
                break;
            default:
                to.Byte(0);
                to.Text(contentType);
                break;
        }
    }
}
