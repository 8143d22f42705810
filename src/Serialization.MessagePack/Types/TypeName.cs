namespace ServiceMesh.MessagePack;

/// <summary>Types in messages, as they are written in C#.</summary>
internal static class TypeName
{
    public static string Of(Type type)
    {
        if (type.IsArray)
        {
            return $"{Of(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        }

        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return $"{Of(value)}?";
        }

        var mark = type.Name.IndexOf('`', StringComparison.Ordinal);
        return mark < 0 ? type.Name : $"{type.Name.AsSpan(0, mark)}<{string.Join(", ", type.GenericTypeArguments.Select(Of))}>";
    }
}
