using MessagePack;
using MessagePack.Formatters;

namespace ServiceMesh.MessagePack;

/// <summary>How bodies are written and read as MessagePack. The defaults are right unless a contract needs more.</summary>
public sealed class MessagePackSerializerSettings
{
    private const int LargestMaxDepth = 500;

    /// <summary>
    /// The application's own resolver. It is asked first for each type, except for <see cref="Unit"/> and the types of
    /// System.Text.Json; for a type that it has no formatter for, the default follows. It decides which members of its
    /// types are written, and must not be a typeless resolver. Default: null, for none.
    /// </summary>
    public IFormatterResolver? Resolver { get; set; }

    /// <summary>
    /// How many maps and arrays may be nested in a body. Raise it when contracts are trees that are deeper. 1 to 500.
    /// Default: 64, as in JSON.
    /// </summary>
    public int MaxDepth { get; set; } = 64;

    /// <summary>A copy that later changes do not reach.</summary>
    /// <exception cref="ArgumentException">A setting is refused.</exception>
    internal MessagePackSerializerSettings Checked()
    {
        if (MaxDepth is < 1 or > LargestMaxDepth)
        {
            throw new ArgumentException($"MessagePackSerializerSettings.MaxDepth is {MaxDepth}; allowed are 1 to {LargestMaxDepth}.");
        }

        if (Resolver?.GetFormatter<object>() is TypelessFormatter or ForceTypelessFormatter<object>)
        {
            throw new ArgumentException(
                "MessagePackSerializerSettings.Resolver is typeless: it creates any type that a body names, and bodies come from outside. "
                + "Name the types of a hierarchy with [Union] instead.");
        }

        return new() { Resolver = Resolver, MaxDepth = MaxDepth };
    }
}
