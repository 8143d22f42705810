using System.Text.Json.Serialization;

namespace ServiceMesh.Redis;

/// <summary>Contracts of the JSON that the transport itself writes: what the Gilmour wire needs, and who is there.</summary>
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(string[][]))]
[JsonSerializable(typeof(NodeInfo))]
internal sealed partial class RedisJson : JsonSerializerContext;
