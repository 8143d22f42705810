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

    /// <summary>
    /// A request or signal for one member of a group. An empty group stands for any group of a request, and for the individuals of a
    /// signal.
    /// </summary>
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
    public static void Reply(FrameBuffer to, long id, ReplyMessage reply, int load, bool isLeaving = false)
    {
        var start = BeginAnswer(to, FrameKind.Reply, id, reply, load, isLeaving);
        WriteHeaders(to, reply.Headers);
        WriteContentType(to, reply.ContentType);
        to.Raw(reply.Body.Span);
        to.EndFrame(start);
    }

    /// <summary>Why this node does not take a request or a signal.</summary>
    public static void Refusal(FrameBuffer to, long id, ReplyMessage refusal, int load, bool isLeaving = false) =>
        to.EndFrame(BeginAnswer(to, FrameKind.Refusal, id, refusal, load, isLeaving));

    public static void Cancel(FrameBuffer to, long id)
    {
        var start = Begin(to, FrameKind.Cancel, 0, id);
        to.EndFrame(start);
    }

    /// <summary>A directory notice of the receiver, with this number, is taken over here.</summary>
    public static void Applied(FrameBuffer to, long number) => to.EndFrame(Begin(to, FrameKind.Applied, 0, number));

    /// <summary>This node leaves: the other end is to end its half of the stream.</summary>
    public static void Leave(FrameBuffer to) => to.EndFrame(Begin(to, FrameKind.Leave, 0, 0));

    public static void Ping(FrameBuffer to, long id, long stamp, bool asksForRequest = false)
    {
        var start = Begin(to, FrameKind.Ping, asksForRequest ? WireFormat.AboutRequest : 0, id);
        to.Int64(stamp);
        to.EndFrame(start);
    }

    /// <param name="to">Where it is written.</param>
    /// <param name="id">That of the ping.</param>
    /// <param name="stamp">That of the ping.</param>
    /// <param name="load">How busy this node is.</param>
    /// <param name="isNotHere">Whether the request of the ping does not run here.</param>
    /// <param name="clock">The clock of this node and its time; null where the ends share another one.</param>
    public static void Pong(
        FrameBuffer to, long id, long stamp, int load, bool isNotHere = false, (uint Id, long Milliseconds)? clock = null)
    {
        var flags = (isNotHere ? WireFormat.AboutRequest : 0) | (clock is null ? 0 : WireFormat.HasClock);
        var start = Begin(to, FrameKind.Pong, flags, id);
        to.Int64(stamp);
        to.Varint((uint)load);
        if (clock is { } own)
        {
            to.UInt32(own.Id);
            to.Int64(own.Milliseconds);
        }

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

    private static int BeginAnswer(FrameBuffer to, FrameKind kind, long id, ReplyMessage answer, int load, bool isLeaving)
    {
        var retryAfter = answer.RetryAfter is { } pause ? (uint)Math.Clamp(pause.TotalMilliseconds, 1, uint.MaxValue) : 0;
        var flags = (answer.Error is null ? 0 : WireFormat.HasError)
            | (answer.NotProcessed ? WireFormat.NotProcessed : 0)
            | (answer.IsOfHandler ? WireFormat.IsOfHandler : 0)
            | (isLeaving ? WireFormat.IsLeaving : 0)
            | (retryAfter > 0 ? WireFormat.HasRetryAfter : 0);
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

        if (retryAfter > 0)
        {
            to.Varint(retryAfter);
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
