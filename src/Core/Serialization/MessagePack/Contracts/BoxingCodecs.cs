namespace ServiceMesh;

/// <summary>A codec of values that are known as objects here: members and elements where there is no dynamic code.</summary>
internal sealed class BoxingCodec(Codec inner) : Codec<object?>
{
    public override void Write(ref MessagePackWriter writer, object? value) => inner.WriteBoxed(ref writer, value);

    public override object? Read(ref MessagePackReader reader) => inner.ReadBoxed(ref reader);
}

/// <summary>A codec of objects, for values that are known by their type.</summary>
internal sealed class UnboxingCodec<T>(Codec inner) : Codec<T>
{
    public override void Write(ref MessagePackWriter writer, T value) => inner.WriteBoxed(ref writer, value);

    public override T Read(ref MessagePackReader reader) => (T)inner.ReadBoxed(ref reader)!;
}
