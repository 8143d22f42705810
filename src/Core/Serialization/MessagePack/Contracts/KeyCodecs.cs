using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ServiceMesh;

/// <summary>Keys of dictionaries: integers as integers, everything else as the text that JSON has for it.</summary>
internal abstract class KeyCodec<TKey>
{
    public abstract void Write(ref MessagePackWriter writer, TKey key);

    public abstract TKey Read(ref MessagePackReader reader);
}

internal sealed class StringKeys(JsonNamingPolicy? policy) : KeyCodec<string>
{
    public override void Write(ref MessagePackWriter writer, string key) => writer.WriteString(policy is null ? key : policy.ConvertName(key));

    // An integer is what another language may have made of a key of digits.
    public override string Read(ref MessagePackReader reader) =>
        reader.NextKind == MessagePackKind.String ? reader.ReadString() : JsonText.ReadKey(ref reader);
}

/// <summary>Integers; the text of one is understood as well.</summary>
internal sealed class IntegerKeys<TKey>(Codec<TKey> codec) : KeyCodec<TKey>
    where TKey : IParsable<TKey>
{
    public override void Write(ref MessagePackWriter writer, TKey key) => codec.Write(ref writer, key);

    public override TKey Read(ref MessagePackReader reader)
    {
        if (reader.NextKind != MessagePackKind.String)
        {
            return codec.Read(ref reader);
        }

        var start = reader.Position;
        return TKey.TryParse(reader.ReadString(), CultureInfo.InvariantCulture, out var key)
            ? key
            : throw MessagePackReader.OutOfRange($"a key of type {typeof(TKey).Name}", start);
    }
}

/// <summary>Keys by their JSON converter.</summary>
internal sealed class JsonKeys<TKey>(JsonConverter<TKey> converter, JsonSerializerOptions options) : KeyCodec<TKey>
    where TKey : notnull
{
    public override void Write(ref MessagePackWriter writer, TKey key)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            converter.WriteAsPropertyName(json, key, options);
            json.WriteNullValue();
            json.WriteEndObject();
        }

        var written = new Utf8JsonReader(buffer.WrittenSpan);
        written.Read();
        written.Read();
        writer.WriteString(written.GetString());
    }

    public override TKey Read(ref MessagePackReader reader)
    {
        var start = reader.Position;
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNull(JsonText.ReadKey(ref reader));
            json.WriteEndObject();
        }

        var written = new Utf8JsonReader(buffer.WrittenSpan);
        written.Read();
        written.Read();
        try
        {
            return converter.ReadAsPropertyName(ref written, typeof(TKey), options)
                ?? throw MessagePackReader.OutOfRange($"a key of type {typeof(TKey).Name}", start);
        }
        catch (Exception failure) when (failure is JsonException or FormatException)
        {
            throw new MessagePackException($"The value is not a key of type {typeof(TKey).Name}", start, failure);
        }
    }
}
