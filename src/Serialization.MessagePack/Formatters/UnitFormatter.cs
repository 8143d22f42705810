using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>Nothing, as an empty map. Members that a peer puts into the map are skipped.</summary>
internal sealed class UnitFormatter : IMessagePackFormatter<Unit>
{
    public void Serialize(ref MessagePackWriter writer, Unit value, MessagePackSerializerOptions options) => writer.WriteMapHeader(0);

    public Unit Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
    {
        if (reader.NextMessagePackType != MessagePackType.Map)
        {
            throw new MessagePackSerializationException("A map is expected.");
        }

        reader.Skip();
        return Unit.Value;
    }
}
