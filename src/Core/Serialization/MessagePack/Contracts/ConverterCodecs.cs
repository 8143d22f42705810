using System.Text.Json;
using System.Text.Json.Serialization;

namespace ServiceMesh;

internal interface IConverterCodecs
{
    Codec Make(JsonConverter converter, JsonSerializerOptions options);
}

/// <summary>Codecs of members that have a converter of their own.</summary>
internal sealed class ConverterCodecs<T> : IConverterCodecs
{
    public Codec Make(JsonConverter converter, JsonSerializerOptions options)
    {
        var made = converter is JsonConverterFactory factory ? factory.CreateConverter(typeof(T), options) : converter;
        return made is JsonConverter<T> typed
            ? new JsonFormCodec<T>(JsonForm.Of(typed, options))
            : throw new NotSupportedException($"The converter {converter.GetType()} does not convert {typeof(T)}.");
    }
}
