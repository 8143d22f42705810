using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace ServiceMesh;

/// <summary>
/// Reads MessagePack from one span or from a sequence of them. Bytes that are not MessagePack throw
/// <see cref="MessagePackException"/> and nothing else. A length is believed only when as many bytes follow it.
/// </summary>
internal ref struct MessagePackReader
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly int _maxDepth;
    private readonly ReadOnlySequence<byte> _sequence;
    private SequencePosition _next;
    private ReadOnlySpan<byte> _span;
    private int _at;
    private long _before; // bytes in front of _span
    private long _after;  // bytes behind _span
    private int _depth;
    private int _jsonDepth;

    public MessagePackReader(ReadOnlySpan<byte> bytes, int maxDepth)
    {
        _span = bytes;
        _maxDepth = maxDepth;
    }

    public MessagePackReader(in ReadOnlySequence<byte> bytes, int maxDepth)
    {
        _sequence = bytes;
        _next = bytes.Start;
        _after = bytes.Length;
        _maxDepth = maxDepth;
    }

    /// <summary>How many bytes have been read.</summary>
    public readonly long Position => _before + _at;

    /// <summary>How many bytes are left.</summary>
    public readonly long Remaining => _span.Length - _at + _after;

    /// <summary>
    /// Whether what is read becomes JSON in memory, of which System.Text.Json then makes the value: its tables have none of
    /// the guards that are here.
    /// </summary>
    public readonly bool IsForJson => _jsonDepth > 0;

    /// <summary>What comes next; nothing is read.</summary>
    public MessagePackKind NextKind => MessagePackCode.KindOf(Peek());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadNil()
    {
        if (Peek() != MessagePackCode.Nil)
        {
            return false;
        }

        _at++;
        return true;
    }

    public bool ReadBoolean()
    {
        var code = Peek();
        if (code is not (MessagePackCode.True or MessagePackCode.False))
        {
            throw Unexpected("a boolean");
        }

        _at++;
        return code == MessagePackCode.True;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ReadInt32()
    {
        if (_at < _span.Length && _span[_at] <= MessagePackCode.LargestPositiveFixInt)
        {
            return _span[_at++];
        }

        var start = Position;
        var value = ReadInt64();
        return (int)value == value ? (int)value : throw OutOfRange("a 32-bit integer", start);
    }

    public long ReadInt64()
    {
        var start = Position;
        var value = ReadInteger(out var isAbove);
        return isAbove ? throw OutOfRange("a 64-bit integer", start) : value;
    }

    public ulong ReadUInt64()
    {
        var start = Position;
        var value = ReadInteger(out var isAbove);
        return value >= 0 || isAbove ? (ulong)value : throw OutOfRange("an unsigned integer", start);
    }

    /// <summary>Any integer of the format: its 64 bits, and whether they are those of a number above <see cref="long.MaxValue"/>.</summary>
    public long ReadInteger(out bool isAbove)
    {
        var code = Peek();
        isAbove = false;
        switch (code)
        {
            case <= MessagePackCode.LargestPositiveFixInt:
                _at++;
                return code;
            case >= MessagePackCode.SmallestNegativeFixInt:
                _at++;
                return (sbyte)code;
            case MessagePackCode.UInt8:
                return Take(2)[1];
            case MessagePackCode.UInt16:
                return BinaryPrimitives.ReadUInt16BigEndian(Take(3)[1..]);
            case MessagePackCode.UInt32:
                return BinaryPrimitives.ReadUInt32BigEndian(Take(5)[1..]);
            case MessagePackCode.UInt64:
                var value = BinaryPrimitives.ReadInt64BigEndian(Take(9)[1..]);
                isAbove = value < 0;
                return value;
            case MessagePackCode.Int8:
                return (sbyte)Take(2)[1];
            case MessagePackCode.Int16:
                return BinaryPrimitives.ReadInt16BigEndian(Take(3)[1..]);
            case MessagePackCode.Int32:
                return BinaryPrimitives.ReadInt32BigEndian(Take(5)[1..]);
            case MessagePackCode.Int64:
                return BinaryPrimitives.ReadInt64BigEndian(Take(9)[1..]);
            default:
                throw Unexpected("an integer");
        }
    }

    /// <summary>A float32, float64 or integer as a double; an integer beyond 2⁵³ is rounded.</summary>
    public double ReadDouble()
    {
        switch (Peek())
        {
            case MessagePackCode.Float64:
                return BinaryPrimitives.ReadDoubleBigEndian(Take(9)[1..]);
            case MessagePackCode.Float32:
                return BinaryPrimitives.ReadSingleBigEndian(Take(5)[1..]);
            case var code when MessagePackCode.KindOf(code) == MessagePackKind.Integer:
                var value = ReadInteger(out var isAbove);
                return isAbove ? (ulong)value : value;
            default:
                throw Unexpected("a number");
        }
    }

    /// <summary>As <see cref="ReadDouble"/>, rounded to a float.</summary>
    public float ReadSingle() => TryReadFloat32(out var value) ? value : (float)ReadDouble();

    public bool TryReadFloat32(out float value)
    {
        var isNext = Peek() == MessagePackCode.Float32;
        value = isNext ? BinaryPrimitives.ReadSingleBigEndian(Take(5)[1..]) : 0;
        return isNext;
    }

    public string ReadString()
    {
        var start = Position;
        var text = ReadUtf8();
        try
        {
            return s_strict.GetString(text);
        }
        catch (DecoderFallbackException failure)
        {
            throw new MessagePackException("A string is not UTF-8", start, failure);
        }
    }

    /// <summary>A string's bytes, which need not be valid UTF-8. They belong to the body; copy what must outlive it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> ReadUtf8()
    {
        var code = Peek();
        if ((code & 0xe0) == MessagePackCode.FixStr)
        {
            var length = code & 0x1f;
            if (length < _span.Length - _at)
            {
                var text = _span.Slice(_at + 1, length);
                _at += length + 1;
                return text;
            }
        }

        return ReadLongUtf8(code);
    }

    /// <summary>Bytes of the family bin; as above, they belong to the body.</summary>
    public ReadOnlySpan<byte> ReadBinary() => Take(Peek() switch
    {
        MessagePackCode.Bin8 => TakeLength8(),
        MessagePackCode.Bin16 => TakeLength16(),
        MessagePackCode.Bin32 => TakeLength32(1),
        _ => throw Unexpected("binary data"),
    });

    /// <summary>How many elements follow; at least as many bytes do.</summary>
    public int ReadArrayHeader()
    {
        var start = Position;
        var code = Peek();
        if ((code & 0xf0) == MessagePackCode.FixArray)
        {
            _at++;
            return Backed(code & 0x0f, 1, start);
        }

        return code switch
        {
            MessagePackCode.Array16 => Backed(TakeLength16(), 1, start),
            MessagePackCode.Array32 => TakeLength32(1),
            _ => throw Unexpected("an array"),
        };
    }

    /// <summary>How many keys with values follow; at least twice as many bytes do.</summary>
    public int ReadMapHeader()
    {
        var start = Position;
        var code = Peek();
        if ((code & 0xf0) == MessagePackCode.FixMap)
        {
            _at++;
            return Backed(code & 0x0f, 2, start);
        }

        return code switch
        {
            MessagePackCode.Map16 => Backed(TakeLength16(), 2, start),
            MessagePackCode.Map32 => TakeLength32(2),
            _ => throw Unexpected("a map"),
        };
    }

    /// <summary>An extension of any type.</summary>
    public ReadOnlySpan<byte> ReadExtension(out sbyte type)
    {
        var length = Peek() switch
        {
            MessagePackCode.FixExt1 => TakeFixed(1),
            MessagePackCode.FixExt2 => TakeFixed(2),
            MessagePackCode.FixExt4 => TakeFixed(4),
            MessagePackCode.FixExt8 => TakeFixed(8),
            MessagePackCode.FixExt16 => TakeFixed(16),
            MessagePackCode.Ext8 => TakeLength8(),
            MessagePackCode.Ext16 => TakeLength16(),
            MessagePackCode.Ext32 => TakeLength32(1),
            _ => throw Unexpected("an extension"),
        };
        type = (sbyte)Take(1)[0];
        return Take(length);
    }

    /// <summary>Whether the next value is an extension of type −1. Nothing is read.</summary>
    public readonly bool IsTimestampNext
    {
        get
        {
            var ahead = this;
            ahead.ReadExtension(out var type);
            return type == MessagePackCode.TimestampType;
        }
    }

    /// <summary>The extension −1 in any of its three sizes.</summary>
    public void ReadTimestamp(out long seconds, out uint nanoseconds)
    {
        var start = Position;
        var data = ReadExtension(out var type);
        switch (data.Length)
        {
            case 4 when type == MessagePackCode.TimestampType:
                seconds = BinaryPrimitives.ReadUInt32BigEndian(data);
                nanoseconds = 0;
                break;
            case 8 when type == MessagePackCode.TimestampType:
                var both = BinaryPrimitives.ReadUInt64BigEndian(data);
                seconds = (long)(both & ((1UL << 34) - 1));
                nanoseconds = (uint)(both >> 34);
                break;
            case 12 when type == MessagePackCode.TimestampType:
                nanoseconds = BinaryPrimitives.ReadUInt32BigEndian(data);
                seconds = BinaryPrimitives.ReadInt64BigEndian(data[4..]);
                break;
            default:
                throw new MessagePackException($"An extension of type {type} with {data.Length} bytes is no timestamp", start);
        }

        if (nanoseconds > 999_999_999)
        {
            throw new MessagePackException("A timestamp has more nanoseconds than a second", start);
        }
    }

    /// <summary>Reads exactly these bytes if they are next; what is not next, or is split over two spans, is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadRaw(scoped ReadOnlySpan<byte> encoded)
    {
        if (!_span[_at..].StartsWith(encoded))
        {
            return false;
        }

        _at += encoded.Length;
        return true;
    }

    /// <summary>Passes over one value with all that is in it.</summary>
    public void Skip()
    {
        switch (NextKind)
        {
            case MessagePackKind.Nil or MessagePackKind.Boolean:
                _at++;
                break;
            case MessagePackKind.Integer:
                ReadInteger(out _);
                break;
            case MessagePackKind.Float:
                ReadDouble();
                break;
            case MessagePackKind.String:
                ReadUtf8();
                break;
            case MessagePackKind.Binary:
                ReadBinary();
                break;
            case MessagePackKind.Extension:
                ReadExtension(out _);
                break;
            case MessagePackKind.Array:
                SkipMany(ReadArrayHeader());
                break;
            case MessagePackKind.Map:
                SkipMany(2L * ReadMapHeader());
                break;
            default:
                throw Unexpected("a value");
        }
    }

    /// <summary>Goes one level down into an array or a map.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Enter()
    {
        if (++_depth > _maxDepth)
        {
            throw TooDeep();
        }
    }

    public void Leave() => _depth--;

    /// <summary>As <see cref="Enter"/>, into an array or a map that becomes JSON in memory.</summary>
    public void EnterForJson()
    {
        Enter();
        _jsonDepth++;
    }

    public void LeaveForJson()
    {
        _jsonDepth--;
        Leave();
    }

    /// <summary>What to throw where the next value is not of the kind that is expected.</summary>
    public readonly MessagePackException Unexpected(string expected) => new(
        $"There is {Describe(_span[_at])} where {expected} is expected", Position);

    /// <summary>What to throw for a value that was read and is none of the type.</summary>
    public static MessagePackException OutOfRange(string expected, long position) => new($"The value is not {expected}", position);

    private readonly MessagePackException TooDeep() => new($"The value is nested deeper than {_maxDepth} levels", Position);

    private static string Describe(byte code) => MessagePackCode.KindOf(code) switch
    {
        MessagePackKind.NeverUsed => "the byte 0xC1, which MessagePack never uses,",
        MessagePackKind.Nil => "nil",
        MessagePackKind.Binary => "binary data",
        MessagePackKind.Integer or MessagePackKind.Array or MessagePackKind.Extension => $"an {MessagePackCode.KindOf(code).ToString().ToLowerInvariant()}",
        var kind => $"a {kind.ToString().ToLowerInvariant()}",
    };

    private void SkipMany(long count)
    {
        Enter();
        for (; count > 0; count--)
        {
            Skip();
        }

        Leave();
    }

    private ReadOnlySpan<byte> ReadLongUtf8(byte code) => Take(code switch
    {
        MessagePackCode.Str8 => TakeLength8(),
        MessagePackCode.Str16 => TakeLength16(),
        MessagePackCode.Str32 => TakeLength32(1),
        _ when (code & 0xe0) == MessagePackCode.FixStr => TakeFixed(code & 0x1f),
        _ => throw Unexpected("a string"),
    });

    private int TakeFixed(int length)
    {
        _at++;
        return length;
    }

    private int TakeLength8() => Take(2)[1];

    private int TakeLength16() => BinaryPrimitives.ReadUInt16BigEndian(Take(3)[1..]);

    private int TakeLength32(int bytesEach)
    {
        var start = Position;
        return Backed(BinaryPrimitives.ReadUInt32BigEndian(Take(5)[1..]), bytesEach, start);
    }

    private readonly int Backed(uint count, int bytesEach, long start) =>
        count * (long)bytesEach <= Remaining ? (int)count : throw EndsEarly(start);

    private readonly int Backed(int count, int bytesEach, long start) => Backed((uint)count, bytesEach, start);

    private static MessagePackException EndsEarly(long start) => new("The body ends before what is announced", start);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte Peek()
    {
        if (_at >= _span.Length)
        {
            MoveToBytes();
        }

        return _span[_at];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _span.Length - _at)
        {
            return TakeAcross(length);
        }

        var taken = _span.Slice(_at, length);
        _at += length;
        return taken;
    }

    // Only here are bytes copied, and never more than there are.
    private ReadOnlySpan<byte> TakeAcross(int length)
    {
        if (length > Remaining)
        {
            throw EndsEarly(Position);
        }

        var joined = new byte[length];
        for (var filled = 0; filled < length;)
        {
            MoveToBytes();
            var part = Math.Min(length - filled, _span.Length - _at);
            _span.Slice(_at, part).CopyTo(joined.AsSpan(filled));
            _at += part;
            filled += part;
        }

        return joined;
    }

    // To the next span that has a byte left; there may be empty ones between.
    private void MoveToBytes()
    {
        while (_at >= _span.Length)
        {
            if (_after == 0)
            {
                throw EndsEarly(Position);
            }

            _before += _span.Length;
            _sequence.TryGet(ref _next, out var memory);
            _span = memory.Span;
            _after -= _span.Length;
            _at = 0;
        }
    }
}
