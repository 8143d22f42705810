using System.Buffers;
using System.Text;

namespace ServiceMesh;

/// <summary>Names that are encoded once and compared byte for byte.</summary>
internal static class MessagePackText
{
    /// <summary>The text as a str of the format, header included.</summary>
    public static byte[] Encode(string text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer, maxDepth: 1, maxBytes: int.MaxValue);
        writer.WriteString(text);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] Encode(int number)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer, maxDepth: 1, maxBytes: int.MaxValue);
        writer.WriteInteger((long)number);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>How many bytes of an encoded text are its header.</summary>
    public static int HeaderOf(string text) => Encode(text).Length - Encoding.UTF8.GetByteCount(text);

    /// <summary>The text alone.</summary>
    public static ReadOnlySpan<byte> Utf8Of(byte[] encoded) =>
        new MessagePackReader(encoded, maxDepth: 1).ReadUtf8();
}
