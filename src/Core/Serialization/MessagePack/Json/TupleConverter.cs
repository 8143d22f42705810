using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// Value tuples on their way through JSON. They have fields only, which JSON leaves out unless it is to write the fields of
/// every type; so without this their values would be lost.
/// </summary>
/// <param name="contractOf">The contract of a tuple with its fields.</param>
internal sealed class TupleConverter(Func<Type, JsonTypeInfo> contractOf) : JsonConverter<object>
{
    public override bool CanConvert(Type typeToConvert) => CodecSet.IsValueTuple(Nullable.GetUnderlyingType(typeToConvert) ?? typeToConvert);

    public override void Write(Utf8JsonWriter writer, object value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        foreach (var field in contractOf(value.GetType()).Properties)
        {
            writer.WritePropertyName(field.Name);
            JsonSerializer.Serialize(writer, field.Get!(value), options.GetTypeInfo(field.PropertyType));
        }

        writer.WriteEndObject();
    }

    public override object Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException($"A tuple is an object here, and there is a {reader.TokenType}.");
        }

        var tuple = Nullable.GetUnderlyingType(typeToConvert) ?? typeToConvert;
        var fields = contractOf(tuple).Properties;
        var value = BoxedDefault.Of(tuple)!;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            if (fields.FirstOrDefault(f => f.Name == name) is { } field)
            {
                field.Set!(value, JsonSerializer.Deserialize(ref reader, options.GetTypeInfo(field.PropertyType)));
            }
            else
            {
                reader.Skip();
            }
        }

        return value;
    }
}
