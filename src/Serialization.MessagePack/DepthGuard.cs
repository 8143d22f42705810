using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>
/// Wraps the formatter of a type whose values can contain values of the same type: writing has a depth limit too,
/// so a value that contains itself is refused. The library alone would write until the stack overflows and the process ends.
/// </summary>
internal sealed class DepthGuard<T>(IMessagePackFormatter<T> formatter, int maxDepth) : IMessagePackFormatter<T>
{
    public void Serialize(ref MessagePackWriter writer, T value, MessagePackSerializerOptions options)
    {
        if (value is not null && WritingDepth.Current >= maxDepth)
        {
            throw new NotSupportedException(
                $"A value of type {TypeWords.Name(typeof(T))} is nested deeper than {maxDepth} levels, or it contains itself. "
                + "Send less at once, or raise MessagePackSerializerSettings.MaxDepth on all nodes.");
        }

        WritingDepth.Current++;
        try
        {
            formatter.Serialize(ref writer, value, options);
        }
        finally
        {
            WritingDepth.Current--;
        }
    }

    public T Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => formatter.Deserialize(ref reader, options);
}

/// <summary>How many guarded values the thread is writing, one inside the other.</summary>
internal static class WritingDepth
{
    [ThreadStatic]
    public static int Current;
}
