using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace ServiceMesh;

/// <summary>
/// What is declared as <see cref="object"/>: written as the JSON of what it is, because it is read as a
/// <see cref="JsonElement"/>, or a <see cref="JsonNode"/> where the options say so.
/// </summary>
internal sealed class AnyCodec(CodecSet codecs) : Codec<object?>
{
    public override void Write(ref MessagePackWriter writer, object? value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else if (value.GetType() == typeof(object))
        {
            writer.WriteMapHeader(0);
        }
        else
        {
            JsonText.Write(ref writer, JsonForm.Of(codecs.JsonContract(value.GetType())).ToJson(value));
        }
    }

    public override object? Read(ref MessagePackReader reader)
    {
        if (reader.TryReadNil())
        {
            return null;
        }

        return codecs.Options.UnknownTypeHandling == JsonUnknownTypeHandling.JsonNode
            ? JsonNode.Parse(JsonText.Read(ref reader).WrittenSpan, documentOptions: new() { MaxDepth = int.MaxValue })
            : JsonText.ReadElement(ref reader);
    }
}

internal sealed class JsonElementCodec : Codec<JsonElement>
{
    public override void Write(ref MessagePackWriter writer, JsonElement value) => JsonText.Write(ref writer, value);

    public override JsonElement Read(ref MessagePackReader reader) => JsonText.ReadElement(ref reader);
}
