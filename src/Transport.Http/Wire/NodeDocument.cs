using System.Text.Json.Serialization;

namespace ServiceMesh.Http;

/// <summary>The answer of <c>GET /mesh/v1/node</c>: the identity of a node, what it handles, and its state.</summary>
internal sealed record NodeDocument
{
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

    /// <summary>How it reaches other nodes now; null where another node asks.</summary>
    public IReadOnlyList<ConnectionState>? Connections { get; init; }

    /// <summary>The topics whose requests it handles.</summary>
    public required IReadOnlyList<Interest> Requests { get; init; }

    /// <summary>The patterns of signals that it subscribes to.</summary>
    public required IReadOnlyList<Interest> Signals { get; init; }

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
}

/// <summary>One topic or pattern, and its group; null for a subscriber without a group.</summary>
internal sealed record Interest(string Topic, string? Group = null);

/// <summary>The clock of a node, on which deadlines may be given.</summary>
/// <param name="Id">Names the clock.</param>
/// <param name="Milliseconds">What it shows.</param>
internal sealed record ClockReading(uint Id, long Milliseconds);

/// <summary>How one node reaches another one.</summary>
/// <param name="Service">The service of the endpoint.</param>
/// <param name="Endpoint">Scheme, host and port.</param>
/// <param name="Uses"><c>session</c> or <c>exchange</c>.</param>
/// <param name="Node">The id of the node there; null while it is not known.</param>
/// <param name="Why">Why no session is open; null if one is, or if none was tried.</param>
internal sealed record ConnectionState(string Service, string Endpoint, string Uses, string? Node = null, string? Why = null);

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
