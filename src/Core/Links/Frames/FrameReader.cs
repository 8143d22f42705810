using System.Buffers.Binary;

namespace ServiceMesh.Links;

/// <summary>What reading the next frame came to.</summary>
internal enum FrameStatus
{
    /// <summary>A frame was read.</summary>
    Read,

    /// <summary>The bytes end before the frame does: more are needed.</summary>
    Incomplete,

    /// <summary>The frame cannot be used and is skipped; the next one can be read.</summary>
    Skipped,

    /// <summary>The length is wrong, so that nothing behind it can be read either.</summary>
    Broken,
}

/// <summary>
/// Reads packets and frames as <c>docs/wire.md</c> describes them: every length is checked before it is used, and what is
/// wrong becomes a <see cref="FrameFault"/>, never an exception. Allocates no more than the bytes that are there. Pure.
/// </summary>
internal static class FrameReader
{
    private const int LengthBytes = sizeof(uint);

    /// <summary>Reads what a packet begins with. Of another version the sender is read as well: these bytes never change.</summary>
    /// <param name="packet">All of a packet, or the beginning of a stream.</param>
    /// <param name="texts">Keeps senders.</param>
    /// <param name="preamble">Who sent it, and where the frames begin.</param>
    public static FrameFault ReadPreamble(ReadOnlySpan<byte> packet, TextPool texts, out Preamble preamble)
    {
        preamble = default;
        if (packet.Length < 4 || packet[0] != WireFormat.Mark)
        {
            return FrameFault.ForeignPacket;
        }

        var (version, flags, length) = (packet[1], packet[2], packet[3]);
        if (length == 0 || length > packet.Length - 4
            || !texts.TryRead(packet.Slice(4, length), out var sender)
            || !Topic.IsSegment(sender))
        {
            return FrameFault.MalformedSender;
        }

        preamble = new(sender, version, (flags & WireFormat.RefusesVersion) != 0, 4 + length);
        return version != WireFormat.Version ? FrameFault.OtherVersion
            : (flags & ~WireFormat.RefusesVersion) != 0 ? FrameFault.UnknownFlag
            : FrameFault.None;
    }

    /// <summary>Reads the frame at the beginning of some bytes.</summary>
    /// <param name="bytes">Of one packet behind its preamble, or of a stream.</param>
    /// <param name="maxFrameBytes">A longer frame is not waited for.</param>
    /// <param name="texts">Keeps topics and groups.</param>
    /// <param name="frame">What was read. Of a skipped frame its kind and id, when those could be read.</param>
    /// <param name="consumed">The bytes that the frame takes; 0 when it is incomplete or broken.</param>
    /// <param name="fault">Why it was skipped or is broken.</param>
    public static FrameStatus Read(
        ReadOnlyMemory<byte> bytes, int maxFrameBytes, TextPool texts, out Frame frame, out int consumed, out FrameFault fault)
    {
        (frame, consumed, fault) = (default, 0, FrameFault.None);
        if (bytes.Length < LengthBytes)
        {
            return FrameStatus.Incomplete;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span);
        if (length < 3 || length > maxFrameBytes)
        {
            fault = FrameFault.WrongLength;
            return FrameStatus.Broken;
        }

        if (length > bytes.Length - LengthBytes)
        {
            return FrameStatus.Incomplete;
        }

        consumed = LengthBytes + (int)length;
        var fields = new FieldReader(bytes.Slice(LengthBytes, (int)length), texts);
        ReadFields(ref fields, ref frame);
        fault = fields.Fault;
        return fault == FrameFault.None ? FrameStatus.Read : FrameStatus.Skipped;
    }

    private static void ReadFields(ref FieldReader fields, ref Frame frame)
    {
        var kind = (FrameKind)fields.Byte();
        var flags = fields.Byte();
        frame.Id = fields.Int63();
        frame.Kind = kind;
        switch (kind)
        {
            case FrameKind.Request or FrameKind.Signal:
                ReadMessage(ref fields, flags, ref frame);
                break;
            case FrameKind.Reply:
                ReadAnswer(ref fields, flags, ref frame);
                frame.Headers = fields.Headers();
                frame.ContentType = fields.ContentType();
                frame.Body = fields.Rest();
                break;
            case FrameKind.Refusal:
                ReadAnswer(ref fields, flags, ref frame);
                fields.End();
                break;
            case FrameKind.Cancel or FrameKind.Applied or FrameKind.Leave:
                fields.CheckFlags(flags, 0);
                fields.End();
                break;
            case FrameKind.Ping:
                fields.CheckFlags(flags, WireFormat.AboutRequest);
                frame.IsAboutRequest = flags != 0;
                frame.Stamp = fields.Int64();
                fields.End();
                break;
            case FrameKind.Pong:
                fields.CheckFlags(flags, WireFormat.AboutRequest | WireFormat.HasClock);
                frame.IsAboutRequest = (flags & WireFormat.AboutRequest) != 0;
                frame.Stamp = fields.Int64();
                frame.Load = fields.Int31();
                if ((flags & WireFormat.HasClock) != 0)
                {
                    (frame.ClockId, frame.ClockTime) = (fields.UInt32(), fields.Int64());
                }

                fields.End();
                break;
            case FrameKind.StreamItem or FrameKind.Credit:
                fields.Fail(FrameFault.ReservedKind);
                break;
            default:
                fields.Fail(FrameFault.UnknownKind);
                break;
        }
    }

    private static void ReadMessage(ref FieldReader fields, byte flags, ref Frame frame)
    {
        fields.CheckFlags(flags, WireFormat.HasDeadline | WireFormat.HasInstant);
        frame.Number = fields.Int63();
        frame.Topic = fields.Topic();
        frame.Group = fields.Group();
        var remaining = (flags & WireFormat.HasDeadline) != 0 ? fields.UInt32Varint() : 0;
        if ((flags & WireFormat.HasInstant) != 0)
        {
            var clock = fields.UInt32();
            frame.Deadline = new(remaining, clock, fields.Int64());
        }
        else
        {
            frame.Deadline = new(remaining);
        }

        // A deadline of no milliseconds would read as no deadline at all.
        if (((flags & WireFormat.HasDeadline) != 0) != (remaining > 0) || ((flags & WireFormat.HasInstant) != 0 && remaining == 0))
        {
            fields.Fail(FrameFault.MalformedNumber);
        }

        frame.Headers = fields.Headers();
        frame.ContentType = fields.ContentType();
        frame.Body = fields.Rest();
    }

    private static void ReadAnswer(ref FieldReader fields, byte flags, ref Frame frame)
    {
        fields.CheckFlags(
            flags,
            WireFormat.HasError | WireFormat.NotProcessed | WireFormat.IsOfHandler | WireFormat.IsLeaving | WireFormat.HasRetryAfter);
        var status = fields.Int31();
        frame.Load = fields.Int31();
        frame.Error = (flags & WireFormat.HasError) != 0 ? fields.Text(WireFormat.MaxErrorBytes) : null;
        frame.NotProcessed = (flags & WireFormat.NotProcessed) != 0;
        frame.RetryAfter = (flags & WireFormat.HasRetryAfter) != 0 ? fields.UInt32Varint() : 0;
        frame.IsOfHandler = (flags & WireFormat.IsOfHandler) != 0;
        frame.IsLeaving = (flags & WireFormat.IsLeaving) != 0;
        frame.Status = (StatusCode)status;
        if (!StatusRange.Contains(status) || (frame.Kind == FrameKind.Refusal && !frame.Status.IsFailure))
        {
            fields.Fail(FrameFault.MalformedNumber);
        }
    }
}

/// <summary>What a packet begins with.</summary>
/// <param name="Sender">The id of the node that sent it.</param>
/// <param name="Version">The version that it speaks.</param>
/// <param name="RefusesVersion">Whether it says that it cannot read this node's version.</param>
/// <param name="Length">Where the frames begin.</param>
internal readonly record struct Preamble(string Sender, byte Version, bool RefusesVersion, int Length);
