using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// How System.Text.Json itself writes and reads a type: for converters that the application wrote, and for types that have no
/// way of their own here. What is in MessagePack is then what the JSON would be, value for value.
/// </summary>
internal abstract class JsonForm
{
    public static JsonForm Of(JsonTypeInfo contract) => new ByContract(contract);

    public static JsonForm Of<T>(JsonConverter<T> converter, JsonSerializerOptions options) => new ByConverter<T>(converter, options);

    /// <exception cref="InvalidOperationException">JSON cannot write it: it is nested too deep, for instance.</exception>
    public JsonElement ToJson(object? value)
    {
        try
        {
            return Serialize(value);
        }
        catch (JsonException failure)
        {
            throw new InvalidOperationException($"The value cannot be written. Does it contain itself? {failure.Message}", failure);
        }
    }

    /// <summary>Reads the next value as JSON, with JSON's complaints as those of this format.</summary>
    public object? Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        return Read(JsonText.Read(ref reader), start);
    }

    /// <summary>Makes a value of a JSON text that stands for what was read.</summary>
    /// <param name="json">The text.</param>
    /// <param name="start">Where it began in the body.</param>
    public object? Read(ArrayBufferWriter<byte> json, long start)
    {
        try
        {
            return Deserialize(json.WrittenSpan);
        }
        catch (JsonException failure)
        {
            throw new MessagePackException($"The value does not fit its type at {failure.Path ?? "$"}", start, failure);
        }
        catch (InvalidOperationException failure)
        {
            // So it calls null for a collection that is filled and cannot be replaced.
            throw new MessagePackException($"The value does not fit its type: {failure.Message}", start, failure);
        }
    }

    protected abstract JsonElement Serialize(object? value);

    protected abstract object? Deserialize(ReadOnlySpan<byte> json);

    private sealed class ByContract(JsonTypeInfo contract) : JsonForm
    {
        protected override JsonElement Serialize(object? value) => JsonSerializer.SerializeToElement(value, contract);

        protected override object? Deserialize(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize(json, contract);
    }

    /// <summary>A converter that stands on a property, which no contract of a type knows of.</summary>
    private sealed class ByConverter<T>(JsonConverter<T> converter, JsonSerializerOptions options) : JsonForm
    {
        protected override JsonElement Serialize(object? value)
        {
            var buffer = new ArrayBufferWriter<byte>();
            using (var writer = new Utf8JsonWriter(buffer))
            {
                if (value is null && !converter.HandleNull)
                {
                    writer.WriteNullValue();
                }
                else
                {
                    converter.Write(writer, (T)value!, options);
                }
            }

            var reader = new Utf8JsonReader(buffer.WrittenSpan);
            return JsonElement.ParseValue(ref reader);
        }

        protected override object? Deserialize(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = options.MaxDepth });
            reader.Read();
            return reader.TokenType == JsonTokenType.Null && default(T) is null && !converter.HandleNull
                ? null
                : converter.Read(ref reader, typeof(T), options);
        }
    }
}

/// <summary>Values that go through <see cref="JsonForm"/>.</summary>
internal sealed class JsonFormCodec<T>(JsonForm form) : Codec<T>
{
    public override void Write(ref MessagePackWriter writer, T value) => JsonText.Write(ref writer, form.ToJson(value));

    public override T Read(ref MessagePackReader reader) => (T)form.Read(ref reader)!;
}
