using System.Text.Json;
using System.Text.Json.Serialization;

namespace ServiceMesh.Http;

/// <summary>The answer of <c>GET /mesh/v1/node</c>: the identity of a node, what it handles, and its state.</summary>
internal sealed record NodeDocument
{
    // A node with that many is beyond what the mesh is made for.
    private const int MaxInterests = 20_000;

    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Host { get; init; }

    public required int ProcessId { get; init; }

    /// <summary>Seconds.</summary>
    public required double Uptime { get; init; }

    /// <summary>Whether the node finishes its messages and takes no new ones.</summary>
    public required bool Draining { get; init; }

    /// <summary>Counts the changes of everything here except load and uptime, for one id. Another id is another node.</summary>
    public required long Version { get; init; }

    /// <summary>The highest load of its handlers: 0 is idle, 1 is full, more than 1 means a queue.</summary>
    public required double Load { get; init; }

    /// <summary>Its clock, and what that showed when the document was made.</summary>
    public ClockReading? Clock { get; init; }

    /// <summary>The topics whose requests it handles.</summary>
    public required IReadOnlyList<Interest> Requests { get; init; }

    /// <summary>The patterns of signals that it subscribes to.</summary>
    public required IReadOnlyList<Interest> Signals { get; init; }

    /// <summary>The endpoints of its services as this node sees them; null in the answer to another node, which does not read it.</summary>
    public IReadOnlyList<EndpointReport>? Endpoints { get; init; }

    /// <summary>
    /// Reads the document of another node, which may send anything: what is beyond the limits is refused, and what cannot be used, as a
    /// pattern of a later version, is left out.
    /// </summary>
    /// <exception cref="JsonException">It is not a document, or is beyond the limits.</exception>
    public static NodeDocument Read(ReadOnlySpan<byte> json)
    {
        var document = JsonSerializer.Deserialize(json, HttpJsonContext.Default.NodeDocument)
            ?? throw new JsonException("The node document is null.");
        if (document.Id.Length > Topic.MaxLength || !Topic.IsSegment(document.Id))
        {
            throw new JsonException($"The id in the node document is '{Printable.Line(document.Id)}', which is not a node id.");
        }

        if (document.Requests.Count + document.Signals.Count > MaxInterests)
        {
            throw new JsonException($"The node document has more than {MaxInterests} topics and patterns.");
        }

        return document with
        {
            Name = Printable.Line(document.Name),
            Host = Printable.Line(document.Host),
            Requests = Usable(document.Requests, static text => Topic.TryParse(text, out _)),
            Signals = Usable(document.Signals, static text => TopicPattern.TryParse(text, out _)),
            Endpoints = null,
        };
    }

    public NodeInfo ToNodeInfo() => new()
    {
        Id = Id,
        Name = Name,
        Host = Host,
        ProcessId = ProcessId,
        IsDraining = Draining,
        Uptime = TimeSpan.FromSeconds(Math.Clamp(Uptime, 0, TimeSpan.MaxValue.TotalSeconds / 2)),
        Subscriptions =
        [
            .. Requests.Select(r => new SubscriptionInfo { Kind = MessageKind.Request, Pattern = r.Topic, Group = r.Group }),
            .. Signals.Select(s => new SubscriptionInfo { Kind = MessageKind.Signal, Pattern = s.Topic, Group = s.Group }),
        ],
    };

    private static Interest[] Usable(IReadOnlyList<Interest> interests, Func<string, bool> isTopic) => interests.Contains(null!)
        ? throw new JsonException("An item in the node document is null.")
        : [.. interests.Where(i => isTopic(i.Topic) && IsGroup(i.Group))];

    private static bool IsGroup(string? name) => name is null || (name.Length <= Topic.MaxLength && Topic.IsSegment(name));
}

/// <summary>An endpoint of a service as a node sees it.</summary>
/// <param name="Service">The name of the service in the node's configuration.</param>
/// <param name="Address">Scheme, host and port.</param>
/// <param name="Node">The id of the node that answered there last; null for none.</param>
/// <param name="Uses">What carries messages there: <see cref="Session"/>, <see cref="Exchange"/>, or <see cref="Here"/> for itself.</param>
/// <param name="WhyExchange">Why no session is open; null if one is, or if none was tried.</param>
/// <param name="State"><c>Healthy</c>, <c>Draining</c> or <c>Unreachable</c>.</param>
/// <param name="Trouble">Why it is unreachable.</param>
/// <param name="Circuit"><c>Closed</c>, <c>Open</c> or <c>HalfOpen</c>.</param>
/// <param name="Ejected">Whether it is left out because it was worse than its peers.</param>
/// <param name="InFlight">Requests that it has now.</param>
/// <param name="Load">The load that it reported last.</param>
/// <param name="LatencyMs">The peak average of its latency, in milliseconds.</param>
internal sealed record EndpointReport(
    string Service, string Address, string? Node, string Uses, string? WhyExchange, string State, string? Trouble, string Circuit,
    bool Ejected, int InFlight, double Load, double LatencyMs)
{
    public const string Session = "session";
    public const string Exchange = "exchange";
    public const string Here = "here";
}

/// <summary>One topic or pattern, and its group; null for a subscriber without a group.</summary>
internal sealed record Interest(string Topic, string? Group = null);

/// <summary>The clock of a node, on which deadlines may be given.</summary>
/// <param name="Id">Names the clock.</param>
/// <param name="Milliseconds">What it shows.</param>
internal sealed record ClockReading(uint Id, long Milliseconds);

/// <summary>The result of a signal at one node.</summary>
internal sealed record SignalReceipt(int Receivers, IReadOnlyList<Refusal> Refused);

/// <summary>A group that received no copy, and why.</summary>
internal sealed record Refusal(string Group, int Status, string Detail);

[JsonSerializable(typeof(NodeDocument))]
[JsonSerializable(typeof(SignalReceipt))]
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
internal sealed partial class HttpJsonContext : JsonSerializerContext;
