using System.Buffers;
using System.Globalization;
using System.Text.Json;
using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>
/// JSON values in the forms that they have in MessagePack. A number is an integer where 64 bits hold it, and otherwise a
/// float64, as RFC 8259 (section 6) expects of receivers; digits beyond that are rounded.
/// </summary>
internal sealed class JsonElementFormatter : IMessagePackFormatter<JsonElement>
{
    public void Serialize(ref MessagePackWriter writer, JsonElement value, MessagePackSerializerOptions options) =>
        Write(ref writer, value, options, 0);

    public JsonElement Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) =>
        JsonElement.Parse(ReadText(ref reader, options).WrittenSpan, new() { MaxDepth = options.Security.MaximumObjectGraphDepth });

    /// <summary>Reads one value as JSON text.</summary>
    public static ArrayBufferWriter<byte> ReadText(ref MessagePackReader reader, MessagePackSerializerOptions options)
    {
        var text = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(text, new() { SkipValidation = true });
        Read(ref reader, json, options);
        json.Flush();
        return text;
    }

    public static void Write(ref MessagePackWriter writer, JsonElement value, MessagePackSerializerOptions options, int depth)
    {
        if (value.ValueKind is JsonValueKind.Object or JsonValueKind.Array && depth >= options.Security.MaximumObjectGraphDepth)
        {
            throw new NotSupportedException($"A JSON value is nested deeper than {options.Security.MaximumObjectGraphDepth} levels.");
        }

        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteMapHeader(value.GetPropertyCount());
                foreach (var property in value.EnumerateObject())
                {
                    writer.Write(NameOf(property));
                    Write(ref writer, property.Value, options, depth + 1);
                }

                break;
            case JsonValueKind.Array:
                writer.WriteArrayHeader(value.GetArrayLength());
                foreach (var item in value.EnumerateArray())
                {
                    Write(ref writer, item, options, depth + 1);
                }

                break;
            case JsonValueKind.String:
                writer.Write(TextOf(value));
                break;
            case JsonValueKind.Number:
                WriteNumber(ref writer, value);
                break;
            case JsonValueKind.True or JsonValueKind.False:
                writer.Write(value.GetBoolean());
                break;
            case JsonValueKind.Null:
                writer.WriteNil();
                break;
            default:
                throw new NotSupportedException("A JsonElement without a value cannot be written. Give it one, or make it nullable.");
        }
    }

    private static string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException failure)
        {
            throw InvalidText(failure);
        }
    }

    private static string? TextOf(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException failure)
        {
            throw InvalidText(failure);
        }
    }

    private static NotSupportedException InvalidText(Exception failure) => new(
        "A text or a name in a JSON value is not valid Unicode: it has half of a surrogate pair. Replace that character.", failure);

    private static void WriteNumber(ref MessagePackWriter writer, JsonElement value)
    {
        if (value.TryGetInt64(out var integer))
        {
            writer.Write(integer);
        }
        else if (value.TryGetUInt64(out var large))
        {
            writer.Write(large);
        }
        else
        {
            var number = value.GetDouble();
            writer.Write(double.IsFinite(number) ? number : throw new NotSupportedException(
                "A JSON number is too large for MessagePack, which has 64 bits for one. Send it as a string."));
        }
    }

    private static void Read(ref MessagePackReader reader, Utf8JsonWriter json, MessagePackSerializerOptions options)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePackType.Nil:
                reader.ReadNil();
                json.WriteNullValue();
                break;
            case MessagePackType.Boolean:
                json.WriteBooleanValue(reader.ReadBoolean());
                break;
            case MessagePackType.Integer when reader.NextCode == MessagePackCode.UInt64:
                json.WriteNumberValue(reader.ReadUInt64());
                break;
            case MessagePackType.Integer:
                json.WriteNumberValue(reader.ReadInt64());
                break;
            case MessagePackType.Float when reader.NextCode == MessagePackCode.Float32:
                var single = reader.ReadSingle();
                if (float.IsFinite(single))
                {
                    json.WriteNumberValue(single); // 0.1, and not the digits of the double next to it
                }
                else
                {
                    WriteNonFinite(json, single);
                }

                break;
            case MessagePackType.Float:
                var number = reader.ReadDouble();
                if (double.IsFinite(number))
                {
                    json.WriteNumberValue(number);
                }
                else
                {
                    WriteNonFinite(json, number);
                }

                break;
            case MessagePackType.String:
                json.WriteStringValue(reader.ReadString());
                break;
            case MessagePackType.Binary:
                json.WriteBase64StringValue(reader.ReadBytes()!.Value.ToArray());
                break;
            case MessagePackType.Extension:
                json.WriteStringValue(reader.ReadDateTime()); // refuses what is not a timestamp
                break;
            case MessagePackType.Array:
                ReadArray(ref reader, json, options);
                break;
            case MessagePackType.Map:
                ReadMap(ref reader, json, options);
                break;
            default:
                throw new MessagePackSerializationException("This is not a value.");
        }
    }

    private static void ReadArray(ref MessagePackReader reader, Utf8JsonWriter json, MessagePackSerializerOptions options)
    {
        options.Security.DepthStep(ref reader);
        json.WriteStartArray();
        for (var left = reader.ReadArrayHeader(); left > 0; left--)
        {
            Read(ref reader, json, options);
        }

        json.WriteEndArray();
        reader.Depth--;
    }

    private static void ReadMap(ref MessagePackReader reader, Utf8JsonWriter json, MessagePackSerializerOptions options)
    {
        options.Security.DepthStep(ref reader);
        json.WriteStartObject();
        for (var left = reader.ReadMapHeader(); left > 0; left--)
        {
            json.WritePropertyName(ReadKey(ref reader));
            Read(ref reader, json, options);
        }

        json.WriteEndObject();
        reader.Depth--;
    }

    // JSON has only texts as keys. Integer keys are common in MessagePack, so they become texts.
    private static string ReadKey(ref MessagePackReader reader)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePackType.String:
                return reader.ReadString()!;
            case MessagePackType.Integer when reader.NextCode == MessagePackCode.UInt64:
                return reader.ReadUInt64().ToString(CultureInfo.InvariantCulture);
            case MessagePackType.Integer:
                return reader.ReadInt64().ToString(CultureInfo.InvariantCulture);
            default:
                throw new MessagePackSerializationException("A key is neither a text nor an integer.");
        }
    }

    // With the names that System.Text.Json uses for numbers that JSON does not have.
    private static void WriteNonFinite(Utf8JsonWriter json, double value) =>
        json.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
}
