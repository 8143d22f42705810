using System.Buffers;
using System.Text.Json;

namespace ServiceMesh.Core.Tests;

/// <summary>Short ways from values to bytes and back, for the tests of MessagePack.</summary>
internal static class Packed
{
    public delegate void WriteAction(ref MessagePackWriter writer);

    public delegate T ReadFunc<out T>(ref MessagePackReader reader);

    /// <summary>Both ways in which composed types are handled: with emitted code, and as under Native AOT.</summary>
    public static MessagePackMessageSerializer Serializer(bool isDynamic = true, JsonSerializerOptions? options = null) =>
        new(options, MessagePackMessageSerializer.LargestBody, isDynamic);

    public static byte[] Bytes<T>(this IMessageSerializer serializer, T value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        serializer.Serialize(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    public static string Hex<T>(this IMessageSerializer serializer, T value) => Convert.ToHexStringLower(serializer.Bytes(value));

    public static T? Back<T>(this IMessageSerializer serializer, T value) => serializer.Deserialize<T>(serializer.Bytes(value));

    public static T? FromHex<T>(this IMessageSerializer serializer, string hex) =>
        serializer.Deserialize<T>(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)));

    public static string Write(WriteAction write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer, maxDepth: 64, maxBytes: int.MaxValue);
        write(ref writer);
        writer.Flush();
        return Convert.ToHexStringLower(buffer.WrittenSpan);
    }

    public static T Read<T>(string hex, ReadFunc<T> read)
    {
        var reader = new MessagePackReader(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), maxDepth: 64);
        var value = read(ref reader);
        if (reader.Remaining != 0)
        {
            throw new InvalidOperationException($"{reader.Remaining} bytes are left.");
        }

        return value;
    }

    /// <summary>The bytes in pieces of the given lengths, the last one with what is left; a piece may be empty.</summary>
    public static ReadOnlySequence<byte> InPieces(byte[] bytes, params int[] lengths)
    {
        var first = new Piece(default, 0);
        var last = first;
        var at = 0;
        foreach (var length in lengths.Append(int.MaxValue))
        {
            var part = bytes.AsMemory(at, Math.Min(length, bytes.Length - at));
            last = last.Append(part);
            at += part.Length;
        }

        return new(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long index)
        {
            Memory = memory;
            RunningIndex = index;
        }

        public Piece Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Piece(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
