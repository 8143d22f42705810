using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ServiceMesh;

internal static class BoxedDefault
{
    /// <summary>The value of a struct whose bytes are all zero; null for a nullable.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2067", Justification = "The zero value of a struct needs none of its constructors.")]
    public static object? Of(Type type) => Nullable.GetUnderlyingType(type) is null ? RuntimeHelpers.GetUninitializedObject(type) : null;
}
