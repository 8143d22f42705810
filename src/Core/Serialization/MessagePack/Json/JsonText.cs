using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace ServiceMesh;

/// <summary>
/// Between JSON and MessagePack, value for value. JSON has no form for some of what MessagePack has: binary data becomes
/// base64, a timestamp the text of ISO 8601, NaN and the infinities their names, and a key that is an integer its text.
/// </summary>
internal static class JsonText
{
    public static void Write(ref MessagePackWriter writer, JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                writer.Enter();
                writer.WriteMapHeader(element.GetPropertyCount());
                foreach (var property in element.EnumerateObject())
                {
                    writer.WriteString(property.Name);
                    Write(ref writer, property.Value);
                }

                writer.Leave();
                break;
            case JsonValueKind.Array:
                writer.Enter();
                writer.WriteArrayHeader(element.GetArrayLength());
                foreach (var item in element.EnumerateArray())
                {
                    Write(ref writer, item);
                }

                writer.Leave();
                break;
            case JsonValueKind.String:
                writer.WriteString(element.GetString());
                break;
            case JsonValueKind.Number:
                NumberText.Write(ref writer, JsonMarshal.GetRawUtf8Value(element));
                break;
            case JsonValueKind.True or JsonValueKind.False:
                writer.WriteBoolean(element.ValueKind == JsonValueKind.True);
                break;
            default:
                writer.WriteNil();
                break;
        }
    }

    /// <summary>A writer for what is read here. The reader has checked it, and counts the depth: it knows what is around.</summary>
    public static Utf8JsonWriter Into(IBufferWriter<byte> buffer) => new(buffer, new JsonWriterOptions { SkipValidation = true, MaxDepth = int.MaxValue });

    /// <summary>The next value as a JSON text.</summary>
    public static ArrayBufferWriter<byte> Read(ref MessagePackReader reader)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = Into(buffer);
        Copy(ref reader, json);
        json.Flush();
        return buffer;
    }

    public static JsonElement ReadElement(ref MessagePackReader reader)
    {
        var json = new Utf8JsonReader(Read(ref reader).WrittenSpan, new JsonReaderOptions { MaxDepth = int.MaxValue });
        return JsonElement.ParseValue(ref json);
    }

    /// <summary>Copies the next value.</summary>
    public static void Copy(ref MessagePackReader reader, Utf8JsonWriter json)
    {
        switch (reader.NextKind)
        {
            case MessagePackKind.Nil:
                reader.TryReadNil();
                json.WriteNullValue();
                break;
            case MessagePackKind.Boolean:
                json.WriteBooleanValue(reader.ReadBoolean());
                break;
            case MessagePackKind.Integer:
                var integer = reader.ReadInteger(out var isAbove);
                if (isAbove)
                {
                    json.WriteNumberValue((ulong)integer);
                }
                else
                {
                    json.WriteNumberValue(integer);
                }

                break;
            case MessagePackKind.Float:
                CopyFloat(ref reader, json);
                break;
            case MessagePackKind.String:
                json.WriteStringValue(reader.ReadString());
                break;
            case MessagePackKind.Binary:
                json.WriteBase64StringValue(reader.ReadBinary());
                break;
            case MessagePackKind.Extension:
                CopyExtension(ref reader, json);
                break;
            case MessagePackKind.Array:
                reader.Enter();
                json.WriteStartArray();
                for (var left = reader.ReadArrayHeader(); left > 0; left--)
                {
                    Copy(ref reader, json);
                }

                json.WriteEndArray();
                reader.Leave();
                break;
            case MessagePackKind.Map:
                reader.Enter();
                json.WriteStartObject();
                for (var left = reader.ReadMapHeader(); left > 0; left--)
                {
                    json.WritePropertyName(ReadKey(ref reader));
                    Copy(ref reader, json);
                }

                json.WriteEndObject();
                reader.Leave();
                break;
            default:
                throw reader.Unexpected("a value");
        }
    }

    /// <summary>A key as JSON has it: a string, or the text of an integer.</summary>
    public static string ReadKey(ref MessagePackReader reader)
    {
        if (reader.NextKind != MessagePackKind.Integer)
        {
            return reader.NextKind == MessagePackKind.String ? reader.ReadString() : throw reader.Unexpected("a key, which is a string or an integer,");
        }

        var integer = reader.ReadInteger(out var isAbove);
        return isAbove ? ((ulong)integer).ToString(CultureInfo.InvariantCulture) : integer.ToString(CultureInfo.InvariantCulture);
    }

    private static void CopyFloat(ref MessagePackReader reader, Utf8JsonWriter json)
    {
        // A float32 keeps its few digits: 0.1f is 0.1 and not 0.10000000149011612.
        if (reader.TryReadFloat32(out var single))
        {
            if (float.IsFinite(single))
            {
                json.WriteNumberValue(single);
                return;
            }

            json.WriteStringValue(single.ToString(CultureInfo.InvariantCulture));
            return;
        }

        var number = reader.ReadDouble();
        if (double.IsFinite(number))
        {
            json.WriteNumberValue(number);
        }
        else
        {
            json.WriteStringValue(number.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void CopyExtension(ref MessagePackReader reader, Utf8JsonWriter json)
    {
        if (reader.IsTimestampNext)
        {
            json.WriteStringValue(new DateTime(Timestamp.Read(ref reader), DateTimeKind.Utc));
        }
        else
        {
            json.WriteRawValue(NumberText.Read(ref reader), skipInputValidation: true);
        }
    }
}
