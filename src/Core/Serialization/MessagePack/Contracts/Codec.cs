namespace ServiceMesh;

/// <summary>How values of one type are written and read. Thread-safe and without state between calls.</summary>
internal abstract class Codec
{
    /// <summary>Writes a value that is known as an object only. Null is nil.</summary>
    public abstract void WriteBoxed(ref MessagePackWriter writer, object? value);

    /// <summary>Reads a value that is needed as an object only.</summary>
    public abstract object? ReadBoxed(ref MessagePackReader reader);
}

/// <summary>The same without boxing. Under Native AOT composed types have a codec of <see cref="object"/>.</summary>
internal abstract class Codec<T> : Codec
{
    /// <summary>Writes a value; a reference may be null.</summary>
    public abstract void Write(ref MessagePackWriter writer, T value);

    /// <summary>Reads a value; null for nil where the type allows it.</summary>
    public abstract T Read(ref MessagePackReader reader);

    public sealed override void WriteBoxed(ref MessagePackWriter writer, object? value)
    {
        if (value is null)
        {
            writer.WriteNil();
        }
        else
        {
            Write(ref writer, (T)value);
        }
    }

    public sealed override object? ReadBoxed(ref MessagePackReader reader) => Read(ref reader);
}
