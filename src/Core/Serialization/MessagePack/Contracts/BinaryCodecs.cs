using System.Buffers.Text;

namespace ServiceMesh;

/// <summary>As bin. A text is understood as base64, which is what JSON has.</summary>
internal sealed class ByteArrayCodec : Codec<byte[]?>
{
    public override void Write(ref MessagePackWriter writer, byte[]? value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else
        {
            writer.WriteBinary(value);
        }
    }

    public override byte[]? Read(ref MessagePackReader reader) => reader.TryReadNil() ? null : ReadBytes(ref reader);

    public static byte[] ReadBytes(ref MessagePackReader reader)
    {
        if (reader.NextKind != MessagePackKind.String)
        {
            return reader.ReadBinary().ToArray();
        }

        var start = reader.Position;
        var text = reader.ReadUtf8();
        if (!Base64.IsValid(text, out var length))
        {
            throw MessagePackReader.OutOfRange("binary data, or base64 of it", start);
        }

        var bytes = new byte[length];
        Base64.DecodeFromUtf8(text, bytes, out _, out _);
        return bytes;
    }
}

internal sealed class MemoryCodec : Codec<Memory<byte>>
{
    public override void Write(ref MessagePackWriter writer, Memory<byte> value) => writer.WriteBinary(value.Span);

    public override Memory<byte> Read(ref MessagePackReader reader) => reader.TryReadNil() ? default : ByteArrayCodec.ReadBytes(ref reader);
}

internal sealed class ReadOnlyMemoryCodec : Codec<ReadOnlyMemory<byte>>
{
    public override void Write(ref MessagePackWriter writer, ReadOnlyMemory<byte> value) => writer.WriteBinary(value.Span);

    public override ReadOnlyMemory<byte> Read(ref MessagePackReader reader) =>
        reader.TryReadNil() ? default : ByteArrayCodec.ReadBytes(ref reader);
}

/// <summary>As bin of 16 bytes in the order of RFC 9562, which is that of its text. The text is understood as well.</summary>
internal sealed class GuidCodec : Codec<Guid>
{
    private const int Size = 16;
    private const int TextSize = 36;

    public override void Write(ref MessagePackWriter writer, Guid value)
    {
        Span<byte> bytes = stackalloc byte[Size];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        writer.WriteBinary(bytes);
    }

    public override Guid Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        if (reader.NextKind == MessagePackKind.String)
        {
            var text = reader.ReadUtf8();
            return text.Length == TextSize && Utf8Parser.TryParse(text, out Guid value, out var used, 'D') && used == TextSize
                ? value
                : throw MessagePackReader.OutOfRange("a UUID", start);
        }

        var bytes = reader.ReadBinary();
        return bytes.Length == Size ? new(bytes, bigEndian: true) : throw MessagePackReader.OutOfRange("a UUID of 16 bytes", start);
    }
}
