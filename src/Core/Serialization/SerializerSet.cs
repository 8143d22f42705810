using System.Buffers;

namespace ServiceMesh;

/// <summary>
/// The serializers of one bus: the configured one writes, and the one for a body's content type reads it. The bus's own
/// topics always travel as JSON, in one form that no configuration changes.
/// </summary>
internal sealed class SerializerSet
{
    private const int LargestKeptBuffer = 1 << 20;
    private const int LargestReusedBody = 4096;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    private static readonly JsonMessageSerializer s_own = JsonMessageSerializer.OfTheBus;

    private readonly IMessageSerializer[] _all;

    public SerializerSet(IEnumerable<IMessageSerializer> all, string name)
    {
        _all = [.. all];
        Configured = Array.Find(_all, s => string.Equals(s.Name, name, StringComparison.OrdinalIgnoreCase))
            ?? throw new ArgumentException($"The serializer '{name}' is unknown; known are: {string.Join(", ", Names)}.", nameof(name));
    }

    public IMessageSerializer Configured { get; }

    public IEnumerable<string> Names => _all.Select(s => s.Name);

    public IEnumerable<string> ContentTypes => _all.Select(s => s.ContentType);

    /// <summary>What writes the bodies of a topic.</summary>
    /// <param name="isOwnTopic">True for a topic of the bus itself.</param>
    public IMessageSerializer Writer(bool isOwnTopic) => isOwnTopic ? s_own : Configured;

    /// <summary>What reads a body of a topic; null when the bus does not have a serializer for its content type.</summary>
    /// <param name="contentType">Of the body; empty for the default of the topic.</param>
    /// <param name="isOwnTopic">True for a topic of the bus itself.</param>
    public IMessageSerializer? Reader(string contentType, bool isOwnTopic)
    {
        if (!isOwnTopic)
        {
            return For(contentType);
        }

        return contentType.Length == 0 || IsOfType(contentType, s_own.ContentType) ? s_own : For(contentType);
    }

    /// <summary>The serializer for a content type; parameters such as a charset do not matter.</summary>
    public IMessageSerializer? For(string contentType)
    {
        if (ReferenceEquals(contentType, Configured.ContentType) || contentType.Length == 0)
        {
            return Configured;
        }

        return IsOfType(contentType, Configured.ContentType) ? Configured : Search(contentType);
    }

    /// <summary>Encodes into a buffer that the thread keeps, and returns a copy of exactly the right size.</summary>
    public static byte[] Encode<T>(IMessageSerializer serializer, T value)
    {
        var buffer = TakeBuffer();
        Write(serializer, value, buffer);
        var body = buffer.WrittenSpan.ToArray();
        KeepBuffer(buffer);
        return body;
    }

    /// <summary>
    /// The same, with the copy in <paramref name="reused"/> when it has room; otherwise another array takes its place.
    /// </summary>
    public static ReadOnlyMemory<byte> Encode<T>(IMessageSerializer serializer, T value, ref byte[]? reused)
    {
        var buffer = TakeBuffer();
        Write(serializer, value, buffer);
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

    /// <summary>Reads a value. See <see cref="IMessageSerializer.Deserialize{T}"/>.</summary>
    public static T? Decode<T>(IMessageSerializer serializer, ReadOnlyMemory<byte> body) =>
        serializer is JsonMessageSerializer json ? json.Deserialize<T>(body) : serializer.Deserialize<T>(body);

    /// <summary>Throws for a type that the serializer refuses. See <see cref="IMessageSerializer.EnsureSupported{T}"/>.</summary>
    public static void EnsureSupported<T>(IMessageSerializer serializer)
    {
        if (serializer is JsonMessageSerializer json)
        {
            json.EnsureSupported<T>();
        }
        else
        {
            serializer.EnsureSupported<T>();
        }
    }

    // A generic method of an interface is looked up at every call; that of a sealed class is not.
    private static void Write<T>(IMessageSerializer serializer, T value, ArrayBufferWriter<byte> output)
    {
        if (serializer is JsonMessageSerializer json)
        {
            json.Serialize(value, output);
        }
        else
        {
            serializer.Serialize(value, output);
        }
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

    // In a method of its own, because the closure of the lambda would be made on every call.
    private IMessageSerializer? Search(string contentType) => Array.Find(_all, serializer => IsOfType(contentType, serializer.ContentType));

    private static bool IsOfType(string contentType, string mediaType)
    {
        var semicolon = contentType.IndexOf(';', StringComparison.Ordinal);
        var type = semicolon < 0 ? contentType : contentType.AsSpan(0, semicolon);
        return type.Trim().Equals(mediaType, StringComparison.OrdinalIgnoreCase);
    }
}
