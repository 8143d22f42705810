using System.Text.Json.Serialization;

namespace ServiceMesh.Redis;

/// <summary>Contracts of what the Gilmour wire writes besides envelopes.</summary>
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(string[][]))]
internal sealed partial class GilmourJson : JsonSerializerContext;
