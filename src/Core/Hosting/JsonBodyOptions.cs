using System.Text.Json;

namespace ServiceMesh;

/// <summary>How one bus writes JSON. A class of its own, so that it never mixes with the application's other JSON options.</summary>
internal sealed class JsonBodyOptions
{
    public JsonSerializerOptions Json { get; } = new();
}

/// <summary>What the application said it needs of the transport.</summary>
internal sealed record RequiredFeatures(TransportFeatures Features);
