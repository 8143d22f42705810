using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>The contracts of bodies that are JSON: the application's, then those of the bus, then reflection.</summary>
internal static class JsonContracts
{
    private const string Reason = "Reached only where the application has enabled reflection for System.Text.Json.";

    /// <summary>A read-only copy that has every contract there can be.</summary>
    public static JsonSerializerOptions Complete(JsonSerializerOptions? options)
    {
        JsonSerializerOptions copy = options is null ? new() : new(options);
        copy.TypeInfoResolverChain.Add(MeshJsonContext.Default);
        if (JsonSerializer.IsReflectionEnabledByDefault)
        {
            AddReflection(copy);
        }

        copy.MakeReadOnly();
        return copy;
    }

    /// <summary>The exception for a type without a contract.</summary>
    public static NotSupportedException Missing<T>(NotSupportedException failure) => new(
        $"{Describe<T>()} does not have a JSON contract. Add a source-generated context that has it with " +
        "AddJsonContext(…), or enable reflection for System.Text.Json.",
        failure);

    public static string Describe<T>() => typeof(T).IsGenericType ? typeof(T).ToString() : typeof(T).Name;

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Reason)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = Reason)]
    private static void AddReflection(JsonSerializerOptions options) =>
        options.TypeInfoResolverChain.Add(new DefaultJsonTypeInfoResolver());
}
