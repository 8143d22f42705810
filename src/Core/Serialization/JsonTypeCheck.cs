using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// Refuses a type whose values would arrive changed: a member that is written and not read, a public field that does not travel,
/// a type that can be written and not made. It looks at each type that the type consists of, once, before the first message.
/// </summary>
internal static class JsonTypeCheck
{
    private const string TrimmingReason = "What trimming has removed is not seen, so the check accepts more there.";

    private const BindingFlags PublicMembers = BindingFlags.Instance | BindingFlags.Public;

    /// <summary>Refuses a type that JSON would not carry unchanged, or that has such a type somewhere in it.</summary>
    /// <exception cref="NotSupportedException">The message names the type, the member that leads to it, and what to do.</exception>
    public static void Check(Type root, JsonSerializerOptions options)
    {
        var seen = new HashSet<Type>();
        Visit(root, "");

        void Visit(Type type, string path)
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            if (type == typeof(object) || !seen.Add(type))
            {
                return;
            }

            var contract = ContractOf(type, path);
            if (Refusal(contract, options) is { } reason)
            {
                throw Refused(path, $"{TypeWords.Name(type)} {reason}");
            }

            foreach (var (member, part) in PartsOf(contract))
            {
                Visit(part, member is null ? path : path.Length == 0 ? member : $"{path}.{member}");
            }
        }

        JsonTypeInfo ContractOf(Type type, string path)
        {
            try
            {
                return options.GetTypeInfo(type);
            }
            catch (Exception failure) when (failure is NotSupportedException or ArgumentException)
            {
                throw Refused(
                    path,
                    $"{TypeWords.Name(type)} does not have a JSON contract. Add a source-generated context that has it and its members "
                    + $"with AddJsonContext(…), or enable reflection for System.Text.Json. Its reason: {failure.Message}",
                    failure);
            }
            catch (InvalidOperationException failure)
            {
                throw Refused(
                    path,
                    $"{TypeWords.Name(type)} is refused by System.Text.Json: {failure.Message} Names match without regard to case.",
                    failure);
            }
        }

        NotSupportedException Refused(string path, string reason, Exception? cause = null)
        {
            var where = path.Length == 0 ? "" : $", because of its member {path}";
            return new($"JSON cannot carry {TypeWords.Name(root)}{where}. {reason}", cause);
        }
    }

    private static IEnumerable<(string? Member, Type Part)> PartsOf(JsonTypeInfo contract) => contract.Kind switch
    {
        JsonTypeInfoKind.Object =>
        [
            .. contract.Properties
                .Where(m => m.CustomConverter is null && !m.IsExtensionData && (m.Get is not null || m.Set is not null))
                .Select(m => ((string?)NameOf(m), m.PropertyType)),
            .. contract.PolymorphismOptions?.DerivedTypes.Select(d => ((string?)null, d.DerivedType)) ?? [],
        ],
        JsonTypeInfoKind.Enumerable or JsonTypeInfoKind.Dictionary when contract.ElementType is { } element => [(null, element)],
        JsonTypeInfoKind.None when ReadOnlyTables.ReadAs(contract) is { Kind: not JsonTypeInfoKind.None } table => [(null, table.Type)],
        _ => [],
    };

    // The rest of a sentence that begins with the type; null for a type that arrives as it was.
    private static string? Refusal(JsonTypeInfo contract, JsonSerializerOptions options) => contract.Kind switch
    {
        JsonTypeInfoKind.Object => OfObject(contract, options),
        JsonTypeInfoKind.Enumerable => OfCollection(contract, "[]"u8),
        JsonTypeInfoKind.Dictionary => OfCollection(contract, """{"":null}"""u8),
        _ => OfConverter(contract),
    };

    private static string? OfConverter(JsonTypeInfo contract) =>
        typeof(Delegate).IsAssignableFrom(contract.Type)
            ? "is a delegate, and code does not travel. Send data instead, or leave the member out with [JsonIgnore]."
        : typeof(Type).IsAssignableFrom(contract.Type)
            ? "is a type, and a body from outside must not choose types. Send its name as a string."
        : IsOfTheLibrary(contract) && !CanRead(contract, "0"u8)
            ? "is not known to System.Text.Json. Use another type, or give it a converter with ConfigureJson(…) or [JsonConverter]."
            : null;

    private static string? OfObject(JsonTypeInfo contract, JsonSerializerOptions options)
    {
        var type = contract.Type;
        if (contract.PolymorphismOptions is { DerivedTypes.Count: > 0 } && (type.IsAbstract || type.IsInterface))
        {
            return null; // its values are those of the derived types
        }

        if (type.IsInterface || type.IsAbstract)
        {
            return $"is {(type.IsInterface ? "an interface" : "an abstract class")}, so a reader cannot make one. "
                + "Name the types that it can be with [JsonDerivedType] on it, or use one of them.";
        }

        return OfMember(contract, options) ?? OfField(contract) ?? OfConstructor(contract) ?? OfState(contract);
    }

    private static string? OfMember(JsonTypeInfo contract, JsonSerializerOptions options)
    {
        foreach (var member in contract.Properties)
        {
            if (member.Get is null || IsRead(member, contract, options) || options.IgnoreReadOnlyProperties
                || member.AttributeProvider is not PropertyInfo property)
            {
                continue;
            }

            if (property.SetMethod is not null)
            {
                return $"has a member '{property.Name}' with a setter that is not public, so it is written and never read. "
                    + "Make the setter public, mark the member with [JsonInclude], or leave it out with [JsonIgnore].";
            }

            if (property.GetMethod?.IsDefined(typeof(CompilerGeneratedAttribute)) == true)
            {
                return IsCollection(member.PropertyType)
                    ? $"has a collection '{property.Name}' without a setter, so it is written and arrives empty. Give it a setter or "
                        + "init, mark it with [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)], or leave it out with "
                        + "[JsonIgnore]."
                    : $"has a member '{property.Name}' without a setter, so it is written and never read. Give it a setter or init, add a "
                        + "constructor parameter of its name, or leave it out with [JsonIgnore].";
            }
        }

        return null;
    }

    private static bool IsRead(JsonPropertyInfo member, JsonTypeInfo contract, JsonSerializerOptions options) =>
        member.Set is not null
        || member.AssociatedParameter is not null
        || member.IsExtensionData
        || (member.ObjectCreationHandling ?? contract.PreferredPropertyObjectCreationHandling ?? options.PreferredObjectCreationHandling)
            == JsonObjectCreationHandling.Populate;

    private static string? OfField(JsonTypeInfo contract) =>
        FieldsOf(contract.Type).FirstOrDefault(f =>
            !f.IsDefined(typeof(JsonIgnoreAttribute))
            && !contract.Properties.Any(m => m.AttributeProvider is FieldInfo own && own.Name == f.Name))
            is { } field
            ? $"has a public field '{field.Name}', and fields do not travel in JSON. Make it a property, mark it with [JsonInclude], "
                + "or set IncludeFields with ConfigureJson(…)."
            : null;

    private static string? OfConstructor(JsonTypeInfo contract)
    {
        if (contract.ConstructorAttributeProvider is ConstructorInfo constructor)
        {
            return constructor.GetParameters().FirstOrDefault(p =>
                !contract.Properties.Any(m => m.AssociatedParameter?.Position == p.Position)) is { } parameter
                ? $"has a constructor parameter '{parameter.Name}' without a member of its name and type, so it cannot be read. "
                    + "Name the parameter like the member."
                : null;
        }

        return contract.CreateObject is null && !contract.Properties.Any(m => m.AssociatedParameter is not null)
            ? "does not have a constructor that JSON can use. Give it one public constructor, or mark one with [JsonConstructor]."
            : null;
    }

    private static string? OfState(JsonTypeInfo contract) =>
        !contract.Properties.Any(m => m.Get is not null && (m.Set is not null || m.AssociatedParameter is not null || m.IsExtensionData))
        && !contract.Properties.Any(m => m.Get is not null && IsCollection(m.PropertyType))
        && HasState(contract.Type)
            ? "has no member that is both written and read, so nothing of it would arrive. Give it public properties with setters or with "
                + "constructor parameters of their names, or use Unit if there is nothing to send."
            : null;

    private static string? OfCollection(JsonTypeInfo contract, ReadOnlySpan<byte> sample)
    {
        var type = contract.Type;
        if (contract.CreateObject is null && typeof(IEnumerable).IsAssignableFrom(type) is false && !type.IsArray && !type.IsValueType)
        {
            return "is read as a stream, and a body is one value. Use a list or an array.";
        }

        if (IsStack(type))
        {
            return "arrives in reverse order. Use a list.";
        }

        if (!CanRead(contract, sample))
        {
            return contract.Kind == JsonTypeInfoKind.Dictionary && CanRead(contract, "{}"u8)
                ? $"has keys of type {TypeWords.Name(contract.KeyType ?? typeof(object))}, which are not texts in JSON. "
                    + "Use a string, a number, an enum, a Guid or a date as the key, or send a list of pairs."
                : "can be written as JSON and not be read. Use a list, an array, a set or a dictionary.";
        }

        if (GuardedTables.IsUnguarded(type))
        {
            return "is a table that JSON fills without a hash that resists collisions. Use HashSet or Dictionary, or give it a public "
                + "constructor with a parameter IEqualityComparer for its keys.";
        }

        return MemberOfCollection(type) is { } member
            ? $"is a collection, and its member '{member}' does not travel. Put the collection into a member of a class, "
                + "or leave the member out with [JsonIgnore]."
            : null;
    }

    private static bool IsStack(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition().FullName is
            "System.Collections.Generic.Stack`1"
            or "System.Collections.Concurrent.ConcurrentStack`1"
            or "System.Collections.Immutable.ImmutableStack`1"
            or "System.Collections.Immutable.IImmutableStack`1";

    // What System.Text.Json refuses for a type it refuses for every body, and what it refuses for a body does not matter here.
    private static bool CanRead(JsonTypeInfo contract, ReadOnlySpan<byte> sample)
    {
        try
        {
            JsonSerializer.Deserialize(sample, contract);
            return true;
        }
        catch (NotSupportedException)
        {
            return false;
        }
        catch (Exception)
        {
            return true;
        }
    }

    private static bool IsOfTheLibrary(JsonTypeInfo contract) => contract.Converter.GetType().Assembly == typeof(JsonSerializer).Assembly;

    private static bool IsCollection(Type type) => type != typeof(string) && typeof(IEnumerable).IsAssignableFrom(type);

    private static string NameOf(JsonPropertyInfo member) => (member.AttributeProvider as MemberInfo)?.Name ?? member.Name;

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = TrimmingReason)]
    private static FieldInfo[] FieldsOf(Type type) => type.GetFields(PublicMembers);

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = TrimmingReason)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = TrimmingReason)]
    private static bool HasState(Type? type)
    {
        for (; type is not null; type = type.BaseType)
        {
            if (type.GetFields(PublicMembers | BindingFlags.NonPublic | BindingFlags.DeclaredOnly).Length > 0)
            {
                return true;
            }
        }

        return false;
    }

    // Of a collection class of the application: a field, or a property that stores a value.
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = TrimmingReason)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = TrimmingReason)]
    private static string? MemberOfCollection(Type? type)
    {
        for (; type is not null && !TypeWords.IsOfDotNet(type); type = type.BaseType)
        {
            const BindingFlags own = PublicMembers | BindingFlags.DeclaredOnly;
            var member = (MemberInfo?)type.GetFields(own).FirstOrDefault(IsSent)
                ?? type.GetProperties(own).FirstOrDefault(p =>
                    p.GetMethod?.IsDefined(typeof(CompilerGeneratedAttribute)) == true && IsSent(p));
            if (member is not null)
            {
                return member.Name;
            }
        }

        return null;

        static bool IsSent(MemberInfo member) =>
            member.GetCustomAttribute<JsonIgnoreAttribute>() is not { Condition: JsonIgnoreCondition.Always };
    }
}
