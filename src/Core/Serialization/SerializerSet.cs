using System.Buffers;

namespace ServiceMesh;

/// <summary>The serializers of one bus: the configured one writes, and whichever fits a body's content type reads it.</summary>
internal sealed class SerializerSet
{
    private const int LargestKeptBuffer = 1 << 20;
    private const int LargestReusedBody = 4096;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    private readonly IMessageSerializer[] _all;

    public SerializerSet(IEnumerable<IMessageSerializer> all, string name)
    {
        _all = [.. all];
        Configured = Array.Find(_all, s => string.Equals(s.Name, name, StringComparison.OrdinalIgnoreCase))
            ?? throw new ArgumentException($"There is no serializer '{name}'; there are: {string.Join(", ", Names)}.", nameof(name));
    }

    public IMessageSerializer Configured { get; }

    public IEnumerable<string> Names => _all.Select(s => s.Name);

    public IEnumerable<string> ContentTypes => _all.Select(s => s.ContentType);

    /// <summary>The serializer for a content type; parameters such as a charset do not matter.</summary>
    public IMessageSerializer? For(string contentType)
    {
        if (ReferenceEquals(contentType, Configured.ContentType) || contentType.Length == 0)
        {
            return Configured;
        }

        var semicolon = contentType.IndexOf(';', StringComparison.Ordinal);
        var type = (semicolon < 0 ? contentType : contentType.AsSpan(0, semicolon)).Trim();
        if (type.Equals(Configured.ContentType, StringComparison.OrdinalIgnoreCase))
        {
            return Configured;
        }

        foreach (var serializer in _all)
        {
            if (type.Equals(serializer.ContentType, StringComparison.OrdinalIgnoreCase))
            {
                return serializer;
            }
        }

        return null;
    }

    /// <summary>Encodes into a buffer that the thread keeps, and returns a copy of exactly the right size.</summary>
    public static byte[] Encode<T>(IMessageSerializer serializer, T value)
    {
        var buffer = TakeBuffer();
        serializer.Serialize(value, buffer);
        var body = buffer.WrittenSpan.ToArray();
        KeepBuffer(buffer);
        return body;
    }

    /// <summary>The same, with the copy in <paramref name="reused"/> when it has room. Another array takes its place when it has not.</summary>
    public static ReadOnlyMemory<byte> Encode<T>(IMessageSerializer serializer, T value, ref byte[]? reused)
    {
        var buffer = TakeBuffer();
        serializer.Serialize(value, buffer);
        var written = buffer.WrittenSpan;
        if (reused is null || reused.Length < written.Length)
        {
            var copy = written.ToArray();
            reused = copy.Length <= LargestReusedBody ? copy : reused;
            KeepBuffer(buffer);
            return copy;
        }

        written.CopyTo(reused);
        var body = reused.AsMemory(0, written.Length);
        KeepBuffer(buffer);
        return body;
    }

    // Out of its slot while in use: a serializer may encode another body from within.
    private static ArrayBufferWriter<byte> TakeBuffer()
    {
        var buffer = t_buffer ?? new ArrayBufferWriter<byte>(512);
        t_buffer = null;
        return buffer;
    }

    private static void KeepBuffer(ArrayBufferWriter<byte> buffer)
    {
        if (buffer.Capacity <= LargestKeptBuffer)
        {
            buffer.ResetWrittenCount();
            t_buffer = buffer;
        }
    }
}
