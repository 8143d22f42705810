using System.Text;

namespace ServiceMesh.Testing;

/// <summary>One request or signal as it left the bus. Immutable.</summary>
public sealed class SentMessage
{
    private const int ShownBytes = 200;

    private readonly IMessageSerializer? _serializer;

    internal SentMessage(Message message, IMessageSerializer? serializer)
    {
        _serializer = serializer;
        Kind = message.Kind;
        Topic = message.Topic;
        Headers = message.Headers;
        ContentType = message.ContentType;
        Body = message.Body.ToArray(); // the bus may use the buffer again
    }

    /// <summary>Whether it wanted an answer.</summary>
    public MessageKind Kind { get; }

    /// <summary>What was called.</summary>
    public Topic Topic { get; }

    /// <summary>What travelled beside the body, trace context included.</summary>
    public Headers Headers { get; }

    /// <summary>The media type of the body.</summary>
    public string ContentType { get; }

    /// <summary>The encoded value.</summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>The value, decoded anew: not the object that was sent.</summary>
    /// <exception cref="MalformedBodyException">The body is not a <typeparamref name="T"/>.</exception>
    /// <exception cref="InvalidOperationException">The bus has lost the serializer that wrote the body.</exception>
    public T? Read<T>() => _serializer is { } serializer
        ? serializer.Deserialize<T>(Body)
        : throw new InvalidOperationException($"The bus does not have a serializer for '{ContentType}'. Add the one that writes it.");

    /// <summary>For messages of tests: the kind, the topic, and the body in short.</summary>
    public override string ToString() => $"{(Kind == MessageKind.Request ? "request" : "signal")} '{Topic}': {Shown()}";

    private string Shown()
    {
        if (Body.IsEmpty)
        {
            return "an empty body";
        }

        if (!ContentType.Contains("json", StringComparison.OrdinalIgnoreCase))
        {
            return $"{Body.Length} bytes of {ContentType}";
        }

        var text = Encoding.UTF8.GetString(Body.Span[..Math.Min(Body.Length, ShownBytes)]);
        return Printable.Whole(Body.Length > ShownBytes ? $"{text}… ({Body.Length} bytes)" : text);
    }
}
