using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace ServiceMesh;

/// <summary>
/// Writes MessagePack into a buffer, every value in its shortest form. What was written is complete in the buffer after
/// <see cref="Flush"/>; whole pieces of it are there before.
/// </summary>
internal ref struct MessagePackWriter(IBufferWriter<byte> output, int maxDepth, long maxBytes)
{
    // A text up to this many characters is encoded with room for three bytes each, one above is counted first.
    private const int LongestUncountedText = 1024;

    private readonly IBufferWriter<byte> _output = output;
    private readonly int _maxDepth = maxDepth;
    private readonly long _maxBytes = maxBytes;
    private Span<byte> _free = output.GetSpan(0);
    private int _used;
    private long _flushed;
    private int _depth;

    public void WriteNil() => WriteByte(MessagePackCode.Nil);

    public void WriteBoolean(bool value) => WriteByte(value ? MessagePackCode.True : MessagePackCode.False);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteInteger(long value)
    {
        if ((ulong)value <= MessagePackCode.LargestPositiveFixInt)
        {
            WriteByte((byte)value);
        }
        else if (value >= 0)
        {
            WriteLarge((ulong)value);
        }
        else
        {
            WriteNegative(value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteInteger(ulong value)
    {
        if (value <= MessagePackCode.LargestPositiveFixInt)
        {
            WriteByte((byte)value);
        }
        else
        {
            WriteLarge(value);
        }
    }

    public void WriteFloat32(float value)
    {
        var span = Reserve(5);
        span[0] = MessagePackCode.Float32;
        // There are many NaNs; the one that other languages write is the positive quiet one.
        BinaryPrimitives.WriteUInt32BigEndian(span[1..], float.IsNaN(value) ? 0x7fc00000 : BitConverter.SingleToUInt32Bits(value));
        _used += 5;
    }

    public void WriteFloat64(double value)
    {
        var span = Reserve(9);
        span[0] = MessagePackCode.Float64;
        BinaryPrimitives.WriteUInt64BigEndian(span[1..], double.IsNaN(value) ? 0x7ff8000000000000 : BitConverter.DoubleToUInt64Bits(value));
        _used += 9;
    }

    /// <summary>Writes text as UTF-8. Half a surrogate pair becomes U+FFFD, as in JSON.</summary>
    public void WriteString(scoped ReadOnlySpan<char> text)
    {
        if (text.Length > LongestUncountedText)
        {
            var bytes = Encoding.UTF8.GetByteCount(text);
            WriteStringHeader(bytes);
            Encoding.UTF8.GetBytes(text, Reserve(bytes));
            _used += bytes;
            return;
        }

        // The header is written behind the text, whose length decides its size; most texts are ASCII, so the guess is right.
        var span = Reserve((text.Length * 3) + 3);
        var guess = StringHeaderSize(text.Length);
        var length = Encoding.UTF8.GetBytes(text, span[guess..]);
        var header = StringHeaderSize(length);
        if (header != guess)
        {
            span.Slice(guess, length).CopyTo(span[header..]);
        }

        PutStringHeader(span, length);
        _used += header + length;
    }

    /// <summary>Writes text that is UTF-8 already, and valid.</summary>
    public void WriteUtf8(scoped ReadOnlySpan<byte> text)
    {
        WriteStringHeader(text.Length);
        WriteRaw(text);
    }

    public void WriteBinary(scoped ReadOnlySpan<byte> bytes)
    {
        var span = Reserve(5);
        _used += bytes.Length switch
        {
            <= byte.MaxValue => Put8(span, MessagePackCode.Bin8, bytes.Length),
            <= ushort.MaxValue => Put16(span, MessagePackCode.Bin16, bytes.Length),
            _ => Put32(span, MessagePackCode.Bin32, bytes.Length),
        };
        WriteRaw(bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteArrayHeader(int count)
    {
        var span = Reserve(5);
        if (count <= 15)
        {
            span[0] = (byte)(MessagePackCode.FixArray | count);
            _used++;
        }
        else
        {
            _used += count <= ushort.MaxValue ? Put16(span, MessagePackCode.Array16, count) : Put32(span, MessagePackCode.Array32, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteMapHeader(int count)
    {
        var span = Reserve(5);
        if (count <= 15)
        {
            span[0] = (byte)(MessagePackCode.FixMap | count);
            _used++;
        }
        else
        {
            _used += count <= ushort.MaxValue ? Put16(span, MessagePackCode.Map16, count) : Put32(span, MessagePackCode.Map32, count);
        }
    }

    public void WriteExtension(sbyte type, scoped ReadOnlySpan<byte> data)
    {
        var span = Reserve(6);
        var header = data.Length switch
        {
            1 => Put(span, MessagePackCode.FixExt1),
            2 => Put(span, MessagePackCode.FixExt2),
            4 => Put(span, MessagePackCode.FixExt4),
            8 => Put(span, MessagePackCode.FixExt8),
            16 => Put(span, MessagePackCode.FixExt16),
            <= byte.MaxValue => Put8(span, MessagePackCode.Ext8, data.Length),
            <= ushort.MaxValue => Put16(span, MessagePackCode.Ext16, data.Length),
            _ => Put32(span, MessagePackCode.Ext32, data.Length),
        };
        span[header] = (byte)type;
        _used += header + 1;
        WriteRaw(data);
    }

    /// <summary>Writes the extension −1 in the smallest of its three sizes.</summary>
    /// <param name="seconds">Since 1970-01-01 UTC.</param>
    /// <param name="nanoseconds">0 to 999,999,999.</param>
    public void WriteTimestamp(long seconds, uint nanoseconds)
    {
        var span = Reserve(15);
        if ((ulong)seconds >> 34 != 0)
        {
            span[0] = MessagePackCode.Ext8;
            span[1] = 12;
            span[2] = unchecked((byte)MessagePackCode.TimestampType);
            BinaryPrimitives.WriteUInt32BigEndian(span[3..], nanoseconds);
            BinaryPrimitives.WriteInt64BigEndian(span[7..], seconds);
            _used += 15;
        }
        else if (nanoseconds != 0 || seconds > uint.MaxValue)
        {
            span[0] = MessagePackCode.FixExt8;
            span[1] = unchecked((byte)MessagePackCode.TimestampType);
            BinaryPrimitives.WriteUInt64BigEndian(span[2..], ((ulong)nanoseconds << 34) | (ulong)seconds);
            _used += 10;
        }
        else
        {
            span[0] = MessagePackCode.FixExt4;
            span[1] = unchecked((byte)MessagePackCode.TimestampType);
            BinaryPrimitives.WriteUInt32BigEndian(span[2..], (uint)seconds);
            _used += 6;
        }
    }

    /// <summary>Writes what is encoded already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteRaw(scoped ReadOnlySpan<byte> encoded)
    {
        encoded.CopyTo(Reserve(encoded.Length));
        _used += encoded.Length;
    }

    /// <summary>Goes one level down; arrays and maps do, so that a value that contains itself ends with an exception.</summary>
    /// <exception cref="InvalidOperationException">The value is nested too deep.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Enter()
    {
        if (++_depth > _maxDepth)
        {
            ThrowTooDeep(_maxDepth);
        }
    }

    public void Leave() => _depth--;

    /// <summary>Hands everything to the buffer's owner.</summary>
    /// <exception cref="InvalidOperationException">The body is larger than allowed.</exception>
    public void Flush()
    {
        _flushed += _used;
        CheckSize(0);
        _output.Advance(_used);
        _free = default;
        _used = 0;
    }

    private static int StringHeaderSize(int bytes) => bytes switch
    {
        <= 31 => 1,
        <= byte.MaxValue => 2,
        <= ushort.MaxValue => 3,
        _ => 5,
    };

    private void WriteStringHeader(int bytes) => _used += PutStringHeader(Reserve(5), bytes);

    private static int PutStringHeader(Span<byte> span, int bytes) => bytes switch
    {
        <= 31 => Put(span, (byte)(MessagePackCode.FixStr | bytes)),
        <= byte.MaxValue => Put8(span, MessagePackCode.Str8, bytes),
        <= ushort.MaxValue => Put16(span, MessagePackCode.Str16, bytes),
        _ => Put32(span, MessagePackCode.Str32, bytes),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void WriteByte(byte value)
    {
        if (_used >= _free.Length)
        {
            Grow(1);
        }

        _free[_used++] = value;
    }

    private void WriteLarge(ulong value)
    {
        var span = Reserve(9);
        if (value <= byte.MaxValue)
        {
            _used += Put8(span, MessagePackCode.UInt8, (int)value);
        }
        else if (value <= ushort.MaxValue)
        {
            _used += Put16(span, MessagePackCode.UInt16, (int)value);
        }
        else if (value <= uint.MaxValue)
        {
            _used += Put32(span, MessagePackCode.UInt32, (int)(uint)value);
        }
        else
        {
            span[0] = MessagePackCode.UInt64;
            BinaryPrimitives.WriteUInt64BigEndian(span[1..], value);
            _used += 9;
        }
    }

    private void WriteNegative(long value)
    {
        var span = Reserve(9);
        if (value >= -32)
        {
            span[0] = (byte)value;
            _used++;
        }
        else if (value >= sbyte.MinValue)
        {
            _used += Put8(span, MessagePackCode.Int8, (int)value);
        }
        else if (value >= short.MinValue)
        {
            _used += Put16(span, MessagePackCode.Int16, (int)value);
        }
        else if (value >= int.MinValue)
        {
            _used += Put32(span, MessagePackCode.Int32, (int)value);
        }
        else
        {
            span[0] = MessagePackCode.Int64;
            BinaryPrimitives.WriteInt64BigEndian(span[1..], value);
            _used += 9;
        }
    }

    private static int Put(Span<byte> span, byte code)
    {
        span[0] = code;
        return 1;
    }

    private static int Put8(Span<byte> span, byte code, int value)
    {
        span[1] = (byte)value;
        span[0] = code;
        return 2;
    }

    private static int Put16(Span<byte> span, byte code, int value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(span[1..], (ushort)value);
        span[0] = code;
        return 3;
    }

    private static int Put32(Span<byte> span, byte code, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(span[1..], value);
        span[0] = code;
        return 5;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> Reserve(int size)
    {
        if (_free.Length - _used < size)
        {
            Grow(size);
        }

        return _free[_used..];
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int size)
    {
        _flushed += _used;
        CheckSize(size);
        _output.Advance(_used);
        _used = 0;
        _free = _output.GetSpan(size);
    }

    // A short text asks for more than it uses, so that much beyond the limit is no fault yet.
    private readonly void CheckSize(int more)
    {
        if (_flushed > _maxBytes || more > _maxBytes + (LongestUncountedText * 3) + 5)
        {
            throw new InvalidOperationException($"The body is larger than {_maxBytes} bytes, the limit of this serializer.");
        }
    }

    private static void ThrowTooDeep(int maxDepth) => throw new InvalidOperationException(
        $"The value is nested deeper than {maxDepth} levels. Does it contain itself? JsonSerializerOptions.MaxDepth raises the limit.");
}
