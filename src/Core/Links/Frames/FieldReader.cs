using System.Buffers.Binary;

namespace ServiceMesh.Links;

/// <summary>
/// Reads the fields of one frame in order. After the first field that does not fit, <see cref="Fault"/> stays set and every
/// further field reads as empty, so that a frame is checked once at its end.
/// </summary>
internal ref struct FieldReader(ReadOnlyMemory<byte> frame, TextPool texts)
{
    private readonly ReadOnlySpan<byte> _bytes = frame.Span;
    private int _at;

    /// <summary>The first thing that is wrong.</summary>
    public FrameFault Fault { get; private set; }

    public void Fail(FrameFault fault) => Fault = Fault == FrameFault.None ? fault : Fault;

    public void CheckFlags(byte flags, int known)
    {
        if ((flags & ~known) != 0)
        {
            Fail(FrameFault.UnknownFlag);
        }
    }

    public byte Byte() => Take(1) is [var value] ? value : (byte)0;

    public uint UInt32() => Take(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

    public long Int64() => Take(8) is { Length: 8 } bytes ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : 0;

    /// <summary>A varint that is a positive 64-bit number.</summary>
    public long Int63() => (long)Varint(long.MaxValue);

    public int Int31() => (int)Varint(int.MaxValue);

    public uint UInt32Varint() => (uint)Varint(uint.MaxValue);

    public string Text(int maxBytes)
    {
        var length = Varint((ulong)maxBytes);
        var bytes = Fault == FrameFault.None ? Take((int)length) : default;
        if (texts.TryRead(bytes, out var text))
        {
            return text;
        }

        Fail(FrameFault.MalformedText);
        return "";
    }

    public Topic Topic()
    {
        if (ServiceMesh.Topic.TryParse(Text(ServiceMesh.Topic.MaxLength), out var topic))
        {
            return topic;
        }

        Fail(FrameFault.MalformedTopic);
        return default;
    }

    public string Group()
    {
        var group = Text(ServiceMesh.Topic.MaxLength);
        if (group.Length == 0 || ServiceMesh.Topic.IsSegment(group))
        {
            return group;
        }

        Fail(FrameFault.MalformedTopic);
        return "";
    }

    public Headers Headers()
    {
        var count = Int31();
        if (count == 0 || Fault != FrameFault.None)
        {
            return ServiceMesh.Headers.Empty;
        }

        // The list grows with the bytes that are there and not by the count, which anyone may have written.
        var (pairs, start) = (new List<(string, string)>(), _at);
        for (var i = 0; i < count && Fault == FrameFault.None; i++)
        {
            pairs.Add((Text(WireFormat.MaxFieldBytes), Text(WireFormat.MaxFieldBytes)));
            if (_at - start > WireFormat.MaxFieldBytes || pairs.Count > WireFormat.MaxHeaders)
            {
                Fail(FrameFault.MalformedHeaders);
            }
        }

        if (Fault == FrameFault.None && ServiceMesh.Headers.TryRead(pairs, out var headers))
        {
            return headers;
        }

        Fail(FrameFault.MalformedHeaders);
        return ServiceMesh.Headers.Empty;
    }

    public string ContentType()
    {
        switch (Byte())
        {
            case WireFormat.JsonMark:
                return WireFormat.Json;
            case WireFormat.MessagePackMark:
                return WireFormat.MessagePack;
            case WireFormat.NoContentMark:
                return "";
            case 0:
                var text = Text(WireFormat.MaxContentTypeBytes);
                if (text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
                {
                    Fail(FrameFault.MalformedText);
                }

                return text;
            default:
                Fail(FrameFault.MalformedNumber);
                return "";
        }
    }

    /// <summary>What is left, without a copy.</summary>
    public ReadOnlyMemory<byte> Rest()
    {
        var rest = Fault == FrameFault.None ? frame[_at..] : default;
        _at = _bytes.Length;
        return rest;
    }

    public void End()
    {
        if (_at < _bytes.Length)
        {
            Fail(FrameFault.TrailingBytes);
        }
    }

    private ulong Varint(ulong max)
    {
        var value = 0UL;
        for (var shift = 0; shift < 63; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                // One number has one form: a last byte of zero would be a second one.
                if (value > max || (next == 0 && shift > 0))
                {
                    Fail(FrameFault.MalformedNumber);
                }

                return Fault == FrameFault.None ? value : 0;
            }
        }

        Fail(FrameFault.MalformedNumber);
        return 0;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (Fault != FrameFault.None || count > _bytes.Length - _at)
        {
            Fail(FrameFault.TruncatedField);
            return default;
        }

        var taken = _bytes.Slice(_at, count);
        _at += count;
        return taken;
    }
}
