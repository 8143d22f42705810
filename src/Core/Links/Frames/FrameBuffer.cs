using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ServiceMesh.Links;

/// <summary>A pooled array that frames are written into, one after the other. Used by one thread at a time.</summary>
internal sealed class FrameBuffer : IBufferWriter<byte>, IDisposable
{
    private const int FirstSize = 1024;

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(FirstSize);
    private int _length;

    public int Length => _length;

    /// <summary>What was written. Valid until the next write, <see cref="Truncate"/> or <see cref="Dispose"/>.</summary>
    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _length);

    /// <summary>Forgets what was written beyond a length.</summary>
    public void Truncate(int length) => _length = Math.Min(_length, length);

    /// <summary>Gives the array back to the pool. Not to be called while something may still read it.</summary>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _length = 0;
    }

    public void Advance(int count) => _length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _bytes.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _bytes.AsSpan(_length);
    }

    public void Byte(byte value)
    {
        Reserve(1);
        _bytes[_length++] = value;
    }

    public void UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(GetSpan(sizeof(uint)), value);
        _length += sizeof(uint);
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(GetSpan(sizeof(long)), value);
        _length += sizeof(long);
    }

    /// <summary>Seven bits a byte, the lowest first; the high bit says that more follow (LEB128).</summary>
    public void Varint(ulong value)
    {
        Reserve(10);
        for (; value >= 0x80; value >>= 7)
        {
            _bytes[_length++] = (byte)(value | 0x80);
        }

        _bytes[_length++] = (byte)value;
    }

    /// <summary>Its length in bytes as a varint, and then its UTF-8.</summary>
    public void Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Varint((ulong)length);
        Encoding.UTF8.GetBytes(value, GetSpan(length));
        _length += length;
    }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        _length += bytes.Length;
    }

    /// <summary>Leaves room for the length of a frame, and returns where.</summary>
    public int BeginFrame()
    {
        var start = _length;
        UInt32(0);
        return start;
    }

    /// <summary>Writes the length of what followed since <see cref="BeginFrame"/>.</summary>
    public void EndFrame(int start) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(start), (uint)(_length - start - sizeof(uint)));

    private void Reserve(int count)
    {
        if (_bytes.Length - _length >= count)
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(_length + count), (int)Math.Min(2L * _bytes.Length, Array.MaxLength)));
        _bytes.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
