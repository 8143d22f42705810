using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>A <see cref="JsonNode"/> or one kind of it, such as <see cref="JsonObject"/>; JSON's null is a null reference.</summary>
internal sealed class JsonNodeFormatter<T> : IMessagePackFormatter<T?>
    where T : JsonNode
{
    public void Serialize(ref MessagePackWriter writer, T? value, MessagePackSerializerOptions options)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        // A node may hold any .NET value; only writing it shows what it is in JSON.
        var text = new ArrayBufferWriter<byte>();
        try
        {
            using var json = new Utf8JsonWriter(text);
            value.WriteTo(json);
        }
        catch (InvalidOperationException failure)
        {
            // Half of a surrogate pair in a name that was parsed, or more levels than the writer has.
            throw new NotSupportedException($"A {typeof(T).Name} cannot be written as JSON. {failure.Message}", failure);
        }

        JsonElementFormatter.Write(ref writer, JsonElement.Parse(text.WrittenSpan, new() { MaxDepth = int.MaxValue }), options, 0);
    }

    public T? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
    {
        var text = JsonElementFormatter.ReadText(ref reader, options);
        var node = JsonNode.Parse(text.WrittenSpan, documentOptions: new()
        {
            MaxDepth = options.Security.MaximumObjectGraphDepth,
            AllowDuplicateProperties = false, // otherwise the node throws later, when a handler uses it
        });
        return node is null or T ? (T?)node : throw new MessagePackSerializationException($"A {typeof(T).Name} is expected.");
    }
}
