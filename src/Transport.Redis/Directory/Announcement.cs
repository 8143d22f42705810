using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Serialization;
using System.Text.Json;

namespace ServiceMesh.Redis;

/// <summary>What a node says of itself in the directory. It does not change while the node runs.</summary>
/// <param name="Id">The node id.</param>
/// <param name="Name">What the service is called.</param>
/// <param name="Host">The machine.</param>
/// <param name="ProcessId">The process on that machine.</param>
/// <param name="Started">When it started, in milliseconds of the server's clock.</param>
/// <param name="Frames">The version of the frames that it speaks.</param>
/// <param name="IsSharded">Whether its inbox is a sharded channel.</param>
internal sealed record Announcement(string Id, string Name, string Host, int ProcessId, long Started, int Frames, bool IsSharded);

/// <summary>What changes of a node's entry.</summary>
/// <param name="Version">Rises with each change of the node; a late notice of an older one loses.</param>
/// <param name="Count">How many subscriptions the node has: an entry with another number is not whole.</param>
/// <param name="IsDraining">Whether it refuses what is new.</param>
internal readonly record struct EntryState(long Version, int Count, bool IsDraining)
{
    public static bool TryRead(string? text, out EntryState state)
    {
        state = default;
        if (text?.Split(':') is not [var version, var count, ("0" or "1") and var draining]
            || !long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var v)
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var c))
        {
            return false;
        }

        state = new(v, c, draining == "1");
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Version}:{Count}:{(IsDraining ? 1 : 0)}");
}

/// <summary>
/// A change of one node's entry, published when it has been written. With <see cref="From"/> as the version that the receiver
/// has, <see cref="Added"/> and <see cref="Removed"/> lead to <see cref="Version"/>; otherwise the entry is to be read.
/// </summary>
/// <param name="Node">The node id.</param>
/// <param name="Version">The version after the change; a notice without a change repeats it, as a sign of life.</param>
/// <param name="From">The version before the change; null when the entry is to be read.</param>
/// <param name="Added">What the node handles from now on.</param>
/// <param name="Removed">What it does not handle any longer.</param>
/// <param name="IsGone">The node has left for good.</param>
internal sealed record DirectoryNotice(
    [property: JsonPropertyName("n")] string Node,
    [property: JsonPropertyName("v")] long Version,
    [property: JsonPropertyName("f")] long? From = null,
    [property: JsonPropertyName("a")] IReadOnlyList<string>? Added = null,
    [property: JsonPropertyName("r")] IReadOnlyList<string>? Removed = null,
    [property: JsonPropertyName("g")] bool IsGone = false);

/// <summary>
/// One thing that a node handles, as it stands in the directory: <c>r:topic:group</c>, <c>s:pattern:group</c>, and
/// <c>s:pattern:</c> for a subscriber without a group.
/// </summary>
/// <param name="Kind">Whether it answers requests or receives signals.</param>
/// <param name="Pattern">The topic or pattern.</param>
/// <param name="Group">The group; null for none.</param>
internal sealed record Offer(MessageKind Kind, TopicPattern Pattern, string? Group)
{
    public static Offer Of(Subscription subscription) => new(subscription.Kind, subscription.Pattern, subscription.Group);

    public static bool TryRead(string? text, [NotNullWhen(true)] out Offer? offer)
    {
        offer = null;
        if (text is null || text.Length > 2 * Topic.MaxLength + 4
            || text.Split(':') is not [("r" or "s") and var kind, var pattern, var group])
        {
            return false;
        }

        var isRequest = kind == "r";
        if (!TopicPattern.TryParse(pattern, out var parsed) || (isRequest && !parsed.IsExact) || (isRequest && group.Length == 0)
            || (group.Length > 0 && !Topic.IsSegment(group)))
        {
            return false;
        }

        offer = new(isRequest ? MessageKind.Request : MessageKind.Signal, parsed, group.Length == 0 ? null : group);
        return true;
    }

    public override string ToString() => $"{(Kind == MessageKind.Request ? 'r' : 's')}:{Pattern}:{Group}";
}

/// <summary>What is sealed of a node's entry.</summary>
/// <param name="Node">Who it is.</param>
/// <param name="Version">That of the state beside it.</param>
/// <param name="Offers">What it handles.</param>
internal sealed record SealedContent(Announcement Node, long Version, IReadOnlyList<string> Offers);

/// <summary>The JSON of the directory. Reading never throws and gives null for what is not meant.</summary>
[JsonSerializable(typeof(Announcement))]
[JsonSerializable(typeof(DirectoryNotice))]
[JsonSerializable(typeof(SealedContent))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
internal sealed partial class DirectoryJson : JsonSerializerContext
{
    public static Announcement? ReadAnnouncement(ReadOnlyMemory<byte> json)
    {
        try
        {
            return Clean(JsonSerializer.Deserialize(json.Span, DirectoryJson.Default.Announcement));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static SealedContent? ReadSealed(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json.Span, DirectoryJson.Default.SealedContent) is { Offers: not null } read
                && Clean(read.Node) is { } node
                ? read with { Node = node }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static DirectoryNotice? ReadNotice(ReadOnlyMemory<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json.Span, DirectoryJson.Default.DirectoryNotice) is { } read && IsNodeId(read.Node)
                ? read
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Announcement? Clean(Announcement? read) => read is not null && IsNodeId(read.Id)
        ? read with { Name = Printable.Line(read.Name ?? ""), Host = Printable.Line(read.Host ?? "") }
        : null;

    public static bool IsNodeId(string? id) => id is { Length: > 0 and < 256 } && Topic.IsSegment(id);
}
