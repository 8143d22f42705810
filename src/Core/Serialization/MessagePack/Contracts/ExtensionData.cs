using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace ServiceMesh;

/// <summary>The member that takes what the contract does not name (<c>[JsonExtensionData]</c>).</summary>
internal sealed class ExtensionData(CodecSet codecs, JsonPropertyInfo property)
{
    private readonly AnyCodec _any = new(codecs);

    /// <summary>What it holds; null when it holds nothing.</summary>
    public ICollection<KeyValuePair<string, object?>>? Entries(object owner) => property.Get?.Invoke(owner) switch
    {
        null => null,
        IDictionary<string, JsonElement> elements => [.. elements.Select(e => KeyValuePair.Create(e.Key, (object?)e.Value))],
        IDictionary<string, JsonNode?> nodes => [.. nodes.Select(n => KeyValuePair.Create(n.Key, (object?)n.Value))],
        IDictionary<string, object?> objects => [.. objects],
        var other => throw new NotSupportedException($"Extension data of type {other.GetType()} is not supported."),
    };

    public void Write(ref MessagePackWriter writer, object? value) => _any.Write(ref writer, value);

    public static KeyValuePair<string, object?> Read(ref MessagePackReader reader, scoped ReadOnlySpan<byte> name) =>
        KeyValuePair.Create(Encoding.UTF8.GetString(name), (object?)JsonText.ReadElement(ref reader));

    public void Store(object owner, List<KeyValuePair<string, object?>> entries)
    {
        var target = property.Get?.Invoke(owner);
        if (target is null)
        {
            target = Make();
            property.Set?.Invoke(owner, target);
        }

        foreach (var (name, value) in entries)
        {
            var element = (JsonElement)value!;
            switch (target)
            {
                case IDictionary<string, JsonElement> elements:
                    elements[name] = element;
                    break;
                case IDictionary<string, JsonNode?> nodes:
                    nodes[name] = JsonNode.Parse(element.GetRawText());
                    break;
                case IDictionary<string, object?> objects:
                    objects[name] = element.ValueKind == JsonValueKind.Null ? null : element;
                    break;
                default:
                    throw new NotSupportedException($"Extension data of type {target.GetType()} is not supported.");
            }
        }
    }

    private object Make()
    {
        var type = property.PropertyType;
        return type == typeof(JsonObject) ? new JsonObject()
            : type.IsAssignableFrom(typeof(Dictionary<string, JsonElement>)) ? new Dictionary<string, JsonElement>()
            : type.IsAssignableFrom(typeof(Dictionary<string, object?>)) ? new Dictionary<string, object?>()
            : codecs.Contract(type).CreateObject?.Invoke()
                ?? throw new NotSupportedException($"Extension data of type {type} cannot be made.");
    }
}
