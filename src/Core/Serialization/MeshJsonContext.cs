using System.Text.Json.Serialization;

namespace ServiceMesh;

/// <summary>Contracts of what the bus itself sends and stores.</summary>
[JsonSerializable(typeof(Unit))]
[JsonSerializable(typeof(NodeInfo))]
[JsonSerializable(typeof(ErrorReport))]
[JsonSerializable(typeof(LogEntry))]
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
internal sealed partial class MeshJsonContext : JsonSerializerContext;
