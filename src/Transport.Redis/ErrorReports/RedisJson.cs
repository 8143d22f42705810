using System.Text.Json.Serialization;

namespace ServiceMesh.Redis;

/// <summary>Contracts of the JSON that the transport itself writes: what the Gilmour wire needs, who is there, and what failed.</summary>
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(string[][]))]
[JsonSerializable(typeof(NodeInfo))]
[JsonSerializable(typeof(ErrorReport))]
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
internal sealed partial class RedisJson : JsonSerializerContext;
