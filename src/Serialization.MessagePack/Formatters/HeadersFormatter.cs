using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>Headers as a map of texts, as they are in an <see cref="ErrorReport"/>.</summary>
internal sealed class HeadersFormatter : IMessagePackFormatter<Headers?>
{
    public void Serialize(ref MessagePackWriter writer, Headers? value, MessagePackSerializerOptions options)
    {
        if (value is null)
        {
            writer.WriteNil();
            return;
        }

        writer.WriteMapHeader(value.Count);
        foreach (var (name, text) in value)
        {
            writer.Write(name);
            writer.Write(text);
        }
    }

    public Headers? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
    {
        if (reader.TryReadNil())
        {
            return null;
        }

        var read = new List<(string, string)>();
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            read.Add((reader.ReadString() ?? "", reader.ReadString() ?? ""));
        }

        return Headers.TryRead(read, out var headers)
            ? headers
            : throw new MessagePackSerializationException("The headers are outside their limits.");
    }
}
