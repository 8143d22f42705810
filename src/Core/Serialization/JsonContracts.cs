using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>The contracts of bodies that are JSON: the application's, then those of the bus, then reflection.</summary>
internal static class JsonContracts
{
    private const string Reason = "Reached only where the application has enabled reflection for System.Text.Json.";

    /// <summary>A read-only copy that has every contract there can be, and that refuses half a value.</summary>
    /// <param name="options">Of the application; null for none.</param>
    /// <param name="matching">Whether unknown members are refused too.</param>
    public static JsonSerializerOptions Complete(JsonSerializerOptions? options, ContractMatching matching)
    {
        var copy = WithContracts(options);
        copy.TypeInfoResolver = JsonTypeInfoResolver.Combine([.. copy.TypeInfoResolverChain])
            .WithAddedModifier(RequireWhatWouldBeNull)
            .WithAddedModifier(GuardedTables.Guard);
        if (ReadOnlyTables.IsSupported)
        {
            copy.Converters.Add(new ReadOnlyTables());
        }

        copy.PropertyNameCaseInsensitive = true;
        copy.RespectNullableAnnotations = true;
        copy.RespectRequiredConstructorParameters = true;
        if (matching == ContractMatching.Exact)
        {
            copy.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        }

        copy.MakeReadOnly();
        return copy;
    }

    /// <summary>
    /// A read-only copy for the bus's own topics. A member that another version of the bus does not send has its default, so that
    /// nodes of two versions understand each other.
    /// </summary>
    public static JsonSerializerOptions OfTheBus()
    {
        var copy = WithContracts(null);
        copy.MakeReadOnly();
        return copy;
    }

    private static JsonSerializerOptions WithContracts(JsonSerializerOptions? options)
    {
        JsonSerializerOptions copy = options is null ? new() : new(options);
        copy.TypeInfoResolverChain.Add(MeshJsonContext.Default);
        if (JsonSerializer.IsReflectionEnabledByDefault)
        {
            AddReflection(copy);
        }

        return copy;
    }

    // System.Text.Json requires constructor parameters and members with 'required'. A member that must not be null, and that a new
    // object leaves null, is as indispensable: without it a handler would run with half a value.
    private static void RequireWhatWouldBeNull(JsonTypeInfo contract)
    {
        if (contract.Kind != JsonTypeInfoKind.Object || contract.CreateObject is null)
        {
            return;
        }

        object? fresh = null;
        foreach (var member in contract.Properties)
        {
            if (member is { IsRequired: false, IsSetNullable: false, Set: not null, Get: not null } && !member.PropertyType.IsValueType)
            {
                fresh ??= Created(contract);
                if (fresh is null)
                {
                    return;
                }

                member.IsRequired = IsNull(member, fresh);
            }
        }
    }

    private static object? Created(JsonTypeInfo contract)
    {
        try
        {
            return contract.CreateObject!();
        }
        catch (Exception)
        {
            return null; // its members then keep what the type says of them
        }
    }

    private static bool IsNull(JsonPropertyInfo member, object owner)
    {
        try
        {
            return member.Get!(owner) is null;
        }
        catch (Exception)
        {
            return false;
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Reason)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = Reason)]
    private static void AddReflection(JsonSerializerOptions options) =>
        options.TypeInfoResolverChain.Add(new DefaultJsonTypeInfoResolver());
}
