namespace ServiceMesh;

/// <inheritdoc/>
internal sealed class PassedValue<T>(T value, IMessageSerializer serializer) : PassedValue
{
    public T Value => value;

    public override ReadOnlyMemory<byte> Encode() => SerializerSet.Encode(serializer, value);
}
