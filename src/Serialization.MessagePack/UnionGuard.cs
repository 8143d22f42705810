using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>
/// Wraps the formatter of a union: a number that the union does not have is refused. The library alone would read null, and
/// a handler would run with half a value.
/// </summary>
internal sealed class UnionGuard<T>(IMessagePackFormatter<T> formatter) : IMessagePackFormatter<T>
{
    public void Serialize(ref MessagePackWriter writer, T value, MessagePackSerializerOptions options) =>
        formatter.Serialize(ref writer, value, options);

    public T Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
    {
        var isNil = reader.IsNil;
        var value = formatter.Deserialize(ref reader, options);
        return isNil || value is not null
            ? value
            : throw new MessagePackSerializationException("The union does not have a type of this number.");
    }
}
