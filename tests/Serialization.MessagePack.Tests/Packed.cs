using System.Buffers;

namespace ServiceMesh.MessagePack.Tests;

/// <summary>Short forms for serialization to bytes and back.</summary>
internal static class Packed
{
    public static byte[] Bytes<T>(this IMessageSerializer serializer, T value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        serializer.Serialize(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    public static string Hex<T>(this IMessageSerializer serializer, T value) => Convert.ToHexStringLower(serializer.Bytes(value));

    public static T? Back<T>(this IMessageSerializer serializer, T value) => serializer.Deserialize<T>(serializer.Bytes(value));

    public static T? FromHex<T>(this IMessageSerializer serializer, string hex) => serializer.Deserialize<T>(Body(hex));

    public static byte[] Body(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}
