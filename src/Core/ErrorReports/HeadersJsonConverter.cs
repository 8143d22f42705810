using System.Text.Json;
using System.Text.Json.Serialization;

namespace ServiceMesh;

/// <summary>
/// Headers as a JSON object of texts. What is outside the limits of headers reads as none: a report is worth more than the headers of
/// its message.
/// </summary>
public sealed class HeadersJsonConverter : JsonConverter<Headers>
{
    /// <inheritdoc/>
    public override Headers Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return Headers.Empty;
        }

        var read = new List<(string, string)>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (reader.TokenType == JsonTokenType.String)
            {
                read.Add((name, reader.GetString()!));
            }

            reader.Skip();
        }

        return Headers.TryRead(read, out var headers) ? headers : Headers.Empty;
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, Headers value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(value);
        writer.WriteStartObject();
        foreach (var (name, text) in value)
        {
            writer.WriteString(name, text);
        }

        writer.WriteEndObject();
    }
}
