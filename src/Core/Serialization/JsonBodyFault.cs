using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// Says why a body is not a value of a type: what was found, where, and what was expected. System.Text.Json has refused the body
/// before; this reads it again beside the type, and so costs nothing while bodies are right.
/// </summary>
internal static class JsonBodyFault
{
    /// <summary>
    /// The first difference in the order of the body, as a sentence without its end; null when only a converter or a constructor can
    /// say.
    /// </summary>
    /// <param name="body">The body.</param>
    /// <param name="root">The type's contract.</param>
    public static string? Find(ReadOnlySpan<byte> body, JsonTypeInfo root)
    {
        var options = root.Options;
        var reader = new Utf8JsonReader(body, new()
        {
            AllowTrailingCommas = options.AllowTrailingCommas,
            CommentHandling = options.ReadCommentHandling,
            MaxDepth = options.MaxDepth,
        });
        try
        {
            return reader.Read() ? OfValue(ref reader, root, BodyPath.Root, numbers: null) : null;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            return null; // not JSON, or not UTF-8, which the first exception has said
        }
    }

    // The reader is at the value, and afterwards at its last token.
    private static string? OfValue(ref Utf8JsonReader reader, JsonTypeInfo contract, BodyPath at, JsonNumberHandling? numbers)
    {
        if (Nullable.GetUnderlyingType(contract.Type) is { } plain)
        {
            return reader.TokenType == JsonTokenType.Null ? null : OfValue(ref reader, contract.Options.GetTypeInfo(plain), at, numbers);
        }

        contract = ReadOnlyTables.ReadAs(contract);
        var handling = numbers ?? contract.NumberHandling ?? contract.Options.NumberHandling;
        return contract.Kind switch
        {
            JsonTypeInfoKind.Object => OfObject(ref reader, contract, at),
            JsonTypeInfoKind.Enumerable => OfArray(ref reader, contract, at, numbers),
            JsonTypeInfoKind.Dictionary => OfDictionary(ref reader, contract, at, numbers),
            _ => OfLeaf(ref reader, contract, at, handling),
        };
    }

    private static string? OfObject(ref Utf8JsonReader reader, JsonTypeInfo contract, BodyPath at)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Unfit(ref reader, contract, at, "an object");
        }

        if (contract.PolymorphismOptions is { } polymorphism)
        {
            if (OfKind(reader, polymorphism, contract, out var derived) is var (named, known) && !known && contract.Type.IsAbstract)
            {
                return named
                    ? at.Mismatch($"an object whose '{polymorphism.TypeDiscriminatorPropertyName}' is unknown", Choices(polymorphism))
                    : at.Mismatch($"an object without '{polymorphism.TypeDiscriminatorPropertyName}'", Choices(polymorphism));
            }

            contract = derived ?? contract;
        }

        var found = new HashSet<JsonPropertyInfo>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            var member = MemberOf(contract, name);
            if (member is not null)
            {
                found.Add(member);
            }

            var fault = member is null ? OfUnknown(ref reader, contract, at, name) : OfMember(ref reader, contract, member, at);
            if (fault is not null)
            {
                return fault;
            }
        }

        return contract.Properties.FirstOrDefault(m => m.IsRequired && !found.Contains(m)) is { } missing
            ? PlaceOf(missing, contract, at).Missing(Expected(missing, contract.Options))
            : null;
    }

    private static string? OfMember(ref Utf8JsonReader reader, JsonTypeInfo contract, JsonPropertyInfo member, BodyPath at)
    {
        var place = PlaceOf(member, contract, at);
        if (reader.TokenType == JsonTokenType.Null)
        {
            var takesNull = Nullable.GetUnderlyingType(member.PropertyType) is not null
                || (!member.PropertyType.IsValueType && member.IsSetNullable);
            return takesNull || member.CustomConverter is not null || HasOwnForm(contract.Options.GetTypeInfo(member.PropertyType))
                ? null
                : place.Null(Expected(member, contract.Options));
        }

        if (member.CustomConverter is null && (member.Set is not null || member.AssociatedParameter is not null))
        {
            return OfValue(ref reader, contract.Options.GetTypeInfo(member.PropertyType), place, member.NumberHandling);
        }

        reader.Skip();
        return null;
    }

    private static string? OfUnknown(ref Utf8JsonReader reader, JsonTypeInfo contract, BodyPath at, string name)
    {
        var isMetadata = name == contract.PolymorphismOptions?.TypeDiscriminatorPropertyName || name.StartsWith('$');
        var handling = contract.UnmappedMemberHandling ?? contract.Options.UnmappedMemberHandling;
        reader.Skip();
        return handling == JsonUnmappedMemberHandling.Disallow && !isMetadata && !contract.Properties.Any(m => m.IsExtensionData)
            ? (at with { Owner = TypeWords.Name(contract.Type) }).Named(name, isKnown: false).Unknown()
            : null;
    }

    private static string? OfArray(ref Utf8JsonReader reader, JsonTypeInfo contract, BodyPath at, JsonNumberHandling? numbers)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return Unfit(ref reader, contract, at, "an array");
        }

        var element = contract.Options.GetTypeInfo(contract.ElementType!);
        for (var index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
        {
            if (OfElement(ref reader, element, at.Item(index), numbers) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static string? OfDictionary(ref Utf8JsonReader reader, JsonTypeInfo contract, BodyPath at, JsonNumberHandling? numbers)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Unfit(ref reader, contract, at, "an object");
        }

        var element = contract.Options.GetTypeInfo(contract.ElementType!);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var place = at.Named(reader.GetString()!, isKnown: true);
            reader.Read();
            if (OfElement(ref reader, element, place, numbers) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static string? OfElement(ref Utf8JsonReader reader, JsonTypeInfo element, BodyPath at, JsonNumberHandling? numbers) =>
        reader.TokenType != JsonTokenType.Null ? OfValue(ref reader, element, at, numbers)
            : !element.Type.IsValueType || HasOwnForm(element) || Nullable.GetUnderlyingType(element.Type) is not null ? null
            : at.Null(Expected(element));

    private static string? OfLeaf(ref Utf8JsonReader reader, JsonTypeInfo contract, BodyPath at, JsonNumberHandling numbers)
    {
        var token = reader.TokenType;
        if (HasOwnForm(contract) || token == JsonTokenType.Null)
        {
            reader.Skip();
            return null;
        }

        var type = contract.Type;
        if (type == typeof(bool))
        {
            return token is JsonTokenType.True or JsonTokenType.False ? null : Unfit(ref reader, contract, at);
        }

        if (IsNumber(type))
        {
            return token == JsonTokenType.String && numbers.HasFlag(JsonNumberHandling.AllowReadingFromString) ? null
                : token != JsonTokenType.Number ? Unfit(ref reader, contract, at)
                : Holds(ref reader, type) ? null
                : at.Mismatch("a number that does not fit", Expected(contract));
        }

        return token != JsonTokenType.String ? Unfit(ref reader, contract, at)
            : IsReadable(ref reader, type) ? null
            : at.Mismatch("a string of another form", Expected(contract));
    }

    private static string Unfit(ref Utf8JsonReader reader, JsonTypeInfo contract, BodyPath at, string shape = "a value")
    {
        var expected = TypeWords.Value(contract.Type, shape);
        return reader.TokenType == JsonTokenType.Null ? at.Null(expected) : at.Mismatch(Found(reader.TokenType), expected);
    }

    // Which type of a hierarchy the body names. A copy of the reader looks ahead.
    private static (bool Named, bool Known) OfKind(
        Utf8JsonReader reader, JsonPolymorphismOptions polymorphism, JsonTypeInfo contract, out JsonTypeInfo? derived)
    {
        derived = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isKind = reader.ValueTextEquals(polymorphism.TypeDiscriminatorPropertyName);
            reader.Read();
            if (isKind)
            {
                object? kind = reader.TokenType == JsonTokenType.String ? reader.GetString()
                    : reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number) ? number
                    : null;
                foreach (var choice in polymorphism.DerivedTypes.Where(d => Equals(d.TypeDiscriminator, kind)))
                {
                    derived = contract.Options.GetTypeInfo(choice.DerivedType);
                }

                return (true, derived is not null);
            }

            reader.Skip();
        }

        return (false, false);
    }

    private static string Choices(JsonPolymorphismOptions polymorphism) =>
        $"one of {string.Join(", ", polymorphism.DerivedTypes.Select(d => $"'{d.TypeDiscriminator}'"))}";

    private static JsonPropertyInfo? MemberOf(JsonTypeInfo contract, string name)
    {
        var comparison = contract.Options.PropertyNameCaseInsensitive ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        return contract.Properties.FirstOrDefault(m => m.Name.Equals(name, comparison) && !m.IsExtensionData);
    }

    private static BodyPath PlaceOf(JsonPropertyInfo member, JsonTypeInfo contract, BodyPath at) =>
        member.AttributeProvider is MemberInfo { DeclaringType: { } declaring } own
            ? at.Member(declaring, own.Name, member.Name)
            : at.Member(contract.Type, member.Name, member.Name);

    private static string Expected(JsonPropertyInfo member, JsonSerializerOptions options) =>
        member.CustomConverter is null
            ? Expected(options.GetTypeInfo(member.PropertyType))
            : TypeWords.Value(member.PropertyType, "a value");

    private static string Expected(JsonTypeInfo contract) => TypeWords.Value(contract.Type, ReadOnlyTables.ReadAs(contract).Kind switch
    {
        JsonTypeInfoKind.Object or JsonTypeInfoKind.Dictionary => "an object",
        JsonTypeInfoKind.Enumerable => "an array",
        _ => "a value",
    });

    private static string Found(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "a boolean",
        _ => "null",
    };

    // A converter of the application, a JSON value of any kind, an enum that may be written as text: only the converter knows the form.
    private static bool HasOwnForm(JsonTypeInfo contract)
    {
        var type = contract.Type;
        return contract.Kind == JsonTypeInfoKind.None
            && (contract.Converter.GetType().Assembly != typeof(JsonSerializer).Assembly
                || type.IsEnum || type == typeof(object)
                || type == typeof(JsonElement) || type == typeof(JsonDocument)
                || typeof(System.Text.Json.Nodes.JsonNode).IsAssignableFrom(type)
                || type.Assembly != typeof(object).Assembly && type != typeof(Uri));
    }

    private static bool IsNumber(Type type) => Type.GetTypeCode(type) is >= TypeCode.SByte and <= TypeCode.Decimal
        || type == typeof(Int128) || type == typeof(UInt128) || type == typeof(Half);

    private static bool Holds(ref Utf8JsonReader reader, Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.SByte => reader.TryGetSByte(out _),
        TypeCode.Byte => reader.TryGetByte(out _),
        TypeCode.Int16 => reader.TryGetInt16(out _),
        TypeCode.UInt16 => reader.TryGetUInt16(out _),
        TypeCode.Int32 => reader.TryGetInt32(out _),
        TypeCode.UInt32 => reader.TryGetUInt32(out _),
        TypeCode.Int64 => reader.TryGetInt64(out _),
        TypeCode.UInt64 => reader.TryGetUInt64(out _),
        TypeCode.Decimal => reader.TryGetDecimal(out _),
        _ => true,
    };

    private static bool IsReadable(ref Utf8JsonReader reader, Type type)
    {
        try
        {
            return type == typeof(Guid) ? reader.TryGetGuid(out _)
                : type == typeof(DateTime) ? reader.TryGetDateTime(out _)
                : type == typeof(DateTimeOffset) ? reader.TryGetDateTimeOffset(out _)
                : type == typeof(byte[]) ? reader.TryGetBytesFromBase64(out _)
                : type == typeof(char) ? reader.GetString()!.Length == 1
                : type == typeof(DateOnly) ? DateOnly.TryParseExact(reader.GetString(), "O", out _)
                : type == typeof(TimeSpan) ? TimeSpan.TryParseExact(reader.GetString(), "c", null, out _)
                : type == typeof(string) ? reader.GetString() is not null
                : true;
        }
        catch (InvalidOperationException)
        {
            return false; // not text in UTF-8
        }
    }
}
