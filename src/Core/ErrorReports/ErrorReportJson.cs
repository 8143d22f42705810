using System.Text.Json.Serialization;

namespace ServiceMesh;

/// <summary>The contract of a report in the file of the error queue.</summary>
[JsonSerializable(typeof(ErrorReport))]
[JsonSerializable(typeof(string))]
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
internal sealed partial class ErrorReportJson : JsonSerializerContext;
