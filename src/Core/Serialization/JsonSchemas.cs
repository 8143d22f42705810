using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>JSON schemas of types, by System.Text.Json, with what its exporter leaves out.</summary>
internal static class JsonSchemas
{
    private static readonly JsonSchemaExporterOptions s_options = new()
    {
        TreatNullObliviousAsNonNullable = true,
        TransformSchemaNode = Complete,
    };

    public static JsonNode Of(JsonTypeInfo contract) => contract.GetJsonSchemaAsNode(s_options);

    private static JsonNode Complete(JsonSchemaExporterContext context, JsonNode schema)
    {
        // For a table that is read through another one, the exporter sees a converter only.
        if (ReadOnlyTables.ReadAs(context.TypeInfo) is var table && table != context.TypeInfo)
        {
            return Of(table);
        }

        if (schema is JsonObject number && ValuesOf(context.TypeInfo.Type) is { } values && TypesOf(number).Contains("integer"))
        {
            var list = new JsonArray([.. values.Select(v => (JsonNode)JsonValue.Create(v))]);
            if (TypesOf(number).Contains("null"))
            {
                list.Add(null);
            }

            number["enum"] = list;
        }

        return schema;
    }

    // Of an enum that travels as a number. Flags are combined, so their values are not a list.
    private static IEnumerable<decimal>? ValuesOf(Type type)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain.IsEnum && !plain.IsDefined(typeof(FlagsAttribute))
            ? Enum.GetValuesAsUnderlyingType(plain).Cast<object>()
                .Select(v => Convert.ToDecimal(v, System.Globalization.CultureInfo.InvariantCulture)).Distinct()
            : null;
    }

    private static string[] TypesOf(JsonObject schema) => schema["type"] switch
    {
        JsonArray several => [.. several.Select(t => t!.ToString())],
        JsonValue one => [one.ToString()],
        _ => [],
    };
}
