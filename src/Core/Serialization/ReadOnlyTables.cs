using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>
/// Immutable sets and dictionaries whose keys are not strings, and the interface of dictionaries that cannot be changed. System.Text.Json
/// would fill them with the hash of the type; here they are read as tables that the <see cref="GuardedTables"/> fill.
/// </summary>
internal sealed class ReadOnlyTables : JsonConverterFactory
{
    private const string Reason = "Added only where dynamic code and reflection are supported.";

    /// <summary>Whether the contract of a table can be made for each type.</summary>
    public static bool IsSupported => GuardedTables.IsSupported && JsonSerializer.IsReflectionEnabledByDefault;

    public override bool CanConvert(Type typeToConvert) =>
        typeToConvert.IsGenericType
        && typeToConvert.GenericTypeArguments[0] != typeof(string)
        && ConverterOf(typeToConvert.GetGenericTypeDefinition()) is not null;

    [UnconditionalSuppressMessage("Trimming", "IL2055", Justification = Reason)]
    [UnconditionalSuppressMessage("Trimming", "IL2071", Justification = Reason)]
    [UnconditionalSuppressMessage("Trimming", "IL2072", Justification = Reason)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = Reason)]
    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
        (JsonConverter)Activator.CreateInstance(
            ConverterOf(typeToConvert.GetGenericTypeDefinition())!.MakeGenericType(typeToConvert.GenericTypeArguments))!;

    /// <summary>The contract that a value is read by: that of the table, for a type that is read through one.</summary>
    public static JsonTypeInfo ReadAs(JsonTypeInfo contract) =>
        contract.Kind == JsonTypeInfoKind.None && contract.Converter is IReadThrough through
            ? contract.Options.GetTypeInfo(through.Table)
            : contract;

    private static Type? ConverterOf(Type definition) =>
        definition == typeof(ImmutableHashSet<>) ? typeof(OfSet<>)
        : definition == typeof(IImmutableSet<>) ? typeof(OfSetInterface<>)
        : definition == typeof(ImmutableDictionary<,>) ? typeof(OfDictionary<,>)
        : definition == typeof(IImmutableDictionary<,>) ? typeof(OfDictionaryInterface<,>)
        : definition == typeof(IReadOnlyDictionary<,>) ? typeof(OfReadOnlyDictionary<,>)
        : null;

    private sealed class OfSet<T> : Through<ImmutableHashSet<T>, HashSet<T>, IEnumerable<T>>
    {
        protected override ImmutableHashSet<T> Copy(HashSet<T> table) => ImmutableHashSet.CreateRange(GuardedComparer<T>.Instance, table);

        protected override IEnumerable<T> View(ImmutableHashSet<T> table) => table;
    }

    private sealed class OfSetInterface<T> : Through<IImmutableSet<T>, HashSet<T>, IEnumerable<T>>
    {
        protected override IImmutableSet<T> Copy(HashSet<T> table) => ImmutableHashSet.CreateRange(GuardedComparer<T>.Instance, table);

        protected override IEnumerable<T> View(IImmutableSet<T> table) => table;
    }

    private sealed class OfDictionary<TKey, TValue>
        : Through<ImmutableDictionary<TKey, TValue>, Dictionary<TKey, TValue>, IDictionary<TKey, TValue>>
        where TKey : notnull
    {
        protected override ImmutableDictionary<TKey, TValue> Copy(Dictionary<TKey, TValue> table) =>
            ImmutableDictionary.CreateRange(GuardedComparer<TKey>.Instance, table);

        protected override IDictionary<TKey, TValue> View(ImmutableDictionary<TKey, TValue> table) => table;
    }

    private sealed class OfDictionaryInterface<TKey, TValue>
        : Through<IImmutableDictionary<TKey, TValue>, Dictionary<TKey, TValue>, IDictionary<TKey, TValue>>
        where TKey : notnull
    {
        protected override IImmutableDictionary<TKey, TValue> Copy(Dictionary<TKey, TValue> table) =>
            ImmutableDictionary.CreateRange(GuardedComparer<TKey>.Instance, table);

        protected override IDictionary<TKey, TValue> View(IImmutableDictionary<TKey, TValue> table) =>
            table as IDictionary<TKey, TValue> ?? new Dictionary<TKey, TValue>(table);
    }

    private sealed class OfReadOnlyDictionary<TKey, TValue>
        : Through<IReadOnlyDictionary<TKey, TValue>, Dictionary<TKey, TValue>, IDictionary<TKey, TValue>>
        where TKey : notnull
    {
        protected override IReadOnlyDictionary<TKey, TValue> Copy(Dictionary<TKey, TValue> table) => table;

        protected override IDictionary<TKey, TValue> View(IReadOnlyDictionary<TKey, TValue> table) =>
            table as IDictionary<TKey, TValue> ?? new Dictionary<TKey, TValue>(table);
    }

    private interface IReadThrough
    {
        Type Table { get; }
    }

    private abstract class Through<T, TTable, TView> : JsonConverter<T>, IReadThrough
        where T : class
        where TTable : class
    {
        public Type Table => typeof(TTable);

        public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            JsonSerializer.Deserialize(ref reader, (JsonTypeInfo<TTable>)options.GetTypeInfo(typeof(TTable))) is { } table
                ? Copy(table)
                : null;

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, View(value), (JsonTypeInfo<TView>)options.GetTypeInfo(typeof(TView)));

        protected abstract T Copy(TTable table);

        protected abstract TView View(T table);
    }
}
