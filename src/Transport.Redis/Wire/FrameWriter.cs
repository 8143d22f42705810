using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace ServiceMesh.Redis;

/// <summary>Writes the fields of a native frame, one after the other.</summary>
internal readonly ref struct FrameWriter(ArrayBufferWriter<byte> output)
{
    public void Byte(byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(output.GetSpan(8), value);
        output.Advance(8);
    }

    /// <summary>Seven bits a byte, the lowest first; the high bit says that more follow (LEB128).</summary>
    public void Varint(uint value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            Byte((byte)(value | 0x80));
        }

        Byte((byte)value);
    }

    public void Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Varint((uint)length);
        Encoding.UTF8.GetBytes(value, output.GetSpan(length));
        output.Advance(length);
    }

    public void Headers(Headers headers)
    {
        Varint((uint)headers.Count);
        if (headers.Count == 0)
        {
            return;
        }

        foreach (var (name, value) in headers)
        {
            Text(name);
            Text(value);
        }
    }

    public void Rest(ReadOnlyMemory<byte> body) => output.Write(body.Span);
}
