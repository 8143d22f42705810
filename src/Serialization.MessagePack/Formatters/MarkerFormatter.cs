using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>
/// A type without any state, as an empty map: its values are all alike, so nothing is lost. Members that a peer puts into the map are
/// skipped.
/// </summary>
internal sealed class MarkerFormatter<T> : IMessagePackFormatter<T?>
    where T : new()
{
    public void Serialize(ref MessagePackWriter writer, T? value, MessagePackSerializerOptions options)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else
        {
            writer.WriteMapHeader(0);
        }
    }

    public T? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
    {
        if (default(T) is null && reader.TryReadNil())
        {
            return default;
        }

        if (reader.NextMessagePackType != MessagePackType.Map)
        {
            throw new MessagePackSerializationException("A map is expected.");
        }

        reader.Skip();
        return new T();
    }
}
