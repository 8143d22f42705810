using System.Numerics;

namespace ServiceMesh;

/// <summary>Types in messages: by their names in C#, and by what a value of them is.</summary>
internal static class TypeWords
{
    private static readonly Dictionary<Type, string> s_values = new()
    {
        [typeof(bool)] = "a boolean",
        [typeof(sbyte)] = "an 8-bit integer",
        [typeof(byte)] = "an unsigned 8-bit integer",
        [typeof(short)] = "a 16-bit integer",
        [typeof(ushort)] = "an unsigned 16-bit integer",
        [typeof(int)] = "a 32-bit integer",
        [typeof(uint)] = "an unsigned 32-bit integer",
        [typeof(long)] = "a 64-bit integer",
        [typeof(ulong)] = "an unsigned 64-bit integer",
        [typeof(Int128)] = "a 128-bit integer",
        [typeof(UInt128)] = "an unsigned 128-bit integer",
        [typeof(BigInteger)] = "an integer",
        [typeof(Half)] = "a 16-bit number",
        [typeof(float)] = "a 32-bit number",
        [typeof(double)] = "a 64-bit number",
        [typeof(decimal)] = "a decimal number",
        [typeof(string)] = "a string",
        [typeof(char)] = "a character",
        [typeof(Uri)] = "a URI",
        [typeof(Version)] = "a version",
        [typeof(Guid)] = "a GUID",
        [typeof(DateTime)] = "a date and time",
        [typeof(DateTimeOffset)] = "a date and time with an offset",
        [typeof(DateOnly)] = "a date",
        [typeof(TimeOnly)] = "a time of day",
        [typeof(TimeSpan)] = "a duration",
        [typeof(byte[])] = "bytes",
        [typeof(Memory<byte>)] = "bytes",
        [typeof(ReadOnlyMemory<byte>)] = "bytes",
    };

    /// <summary>As it is written in C#: <c>Dictionary&lt;String, Int32?&gt;</c>.</summary>
    public static string Name(Type type)
    {
        if (type.IsArray)
        {
            return $"{Name(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        }

        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return $"{Name(value)}?";
        }

        var mark = type.Name.IndexOf('`', StringComparison.Ordinal);
        return mark < 0 ? type.Name : $"{type.Name.AsSpan(0, mark)}<{string.Join(", ", type.GenericTypeArguments.Select(Name))}>";
    }

    /// <summary>Whether a type belongs to .NET, and not to an application or another library.</summary>
    public static bool IsOfDotNet(Type type) =>
        type.Namespace is "System" || type.Namespace?.StartsWith("System.", StringComparison.Ordinal) == true;

    /// <summary>What a value of it is, with an article: <c>a 32-bit integer</c>, <c>an object (Order)</c>.</summary>
    /// <param name="type">The type.</param>
    /// <param name="shape">What a type that is not named here is: <c>an object</c>, <c>an array</c>.</param>
    public static string Value(Type type, string shape)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        var said = s_values.TryGetValue(plain, out var known) ? known
            : plain.IsEnum ? $"a value of {Name(plain)}"
            : $"{shape} ({Name(plain)})";
        return plain == type ? said : $"{said} or null";
    }
}
