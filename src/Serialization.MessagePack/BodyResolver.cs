using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>The resolver that the library asks for the formatter of each member of each value. Thread-safe.</summary>
internal sealed class BodyResolver(FormatterSource formatters, TypeGraph graph, int maxDepth) : IFormatterResolver
{
    private readonly TypeTable _known = new();

    /// <inheritdoc/>
    /// <exception cref="UnsupportedTypeException">The type cannot be serialized.</exception>
    public IMessagePackFormatter<T> GetFormatter<T>() => _known.TryGet<T>(out var known) ? (IMessagePackFormatter<T>)known : Find<T>();

    private IMessagePackFormatter<T> Find<T>()
    {
        var formatter = (IMessagePackFormatter<T>)formatters.Of(typeof(T));
        if (typeof(T).IsDefined(typeof(UnionAttribute), inherit: false))
        {
            formatter = new UnionGuard<T>(formatter);
        }

        if (typeof(T) == typeof(object) || graph.IsRecursive(typeof(T)))
        {
            formatter = new DepthGuard<T>(formatter, maxDepth);
        }

        _known.Set<T>(formatter);
        return formatter;
    }
}
