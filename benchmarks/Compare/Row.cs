using System.Text.Json;
using System.Text.Json.Serialization;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// One line of the result: the medians of one contestant for a number of callers and replicas. Bytes are null where they are
/// not known.
/// </summary>
internal sealed record Row(
    string Contestant,
    int Callers,
    int Replicas,
    double RequestsPerSecond,
    double P50Microseconds,
    double P99Microseconds,
    double? BytesPerRequest)
{
    /// <summary>The rows as an array of JSON.</summary>
    public static string ToJson(IReadOnlyList<Row> rows) => JsonSerializer.Serialize(rows, RowsJson.Default.IReadOnlyListRow);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<Row>))]
internal sealed partial class RowsJson : JsonSerializerContext;
