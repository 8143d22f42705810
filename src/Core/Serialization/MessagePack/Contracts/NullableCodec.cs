namespace ServiceMesh;

internal sealed class NullableCodec<T>(Codec<T> inner) : Codec<T?>
    where T : struct
{
    public override void Write(ref MessagePackWriter writer, T? value)
    {
        if (value is { } there)
        {
            inner.Write(ref writer, there);
        }
        else
        {
            writer.WriteNil();
        }
    }

    public override T? Read(ref MessagePackReader reader) => reader.TryReadNil() ? null : inner.Read(ref reader);
}

/// <summary>The same where there is no dynamic code: a boxed nullable is a boxed value or null.</summary>
internal sealed class BoxedNullableCodec(Codec inner) : Codec<object?>
{
    public override void Write(ref MessagePackWriter writer, object? value) => inner.WriteBoxed(ref writer, value);

    public override object? Read(ref MessagePackReader reader) => reader.TryReadNil() ? null : inner.ReadBoxed(ref reader);
}
