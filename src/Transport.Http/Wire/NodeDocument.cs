using System.Text.Json.Serialization;

namespace ServiceMesh.Http;

/// <summary>What <c>GET /mesh/v1/node</c> answers: who a node is, what it handles, and how it is.</summary>
internal sealed record NodeDocument
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Host { get; init; }

    public required int ProcessId { get; init; }

    /// <summary>Seconds.</summary>
    public required double Uptime { get; init; }

    /// <summary>Finishes what it has and takes nothing more.</summary>
    public required bool Draining { get; init; }

    /// <summary>Counts the changes of all that stands here but load and uptime. Of one id; another id is another node.</summary>
    public required long Version { get; init; }

    /// <summary>How full its fullest handler is: 0 is idle, 1 is full, more is a queue.</summary>
    public required double Load { get; init; }

    /// <summary>The topics that it answers.</summary>
    public required IReadOnlyList<Interest> Requests { get; init; }

    /// <summary>The patterns that it wants signals of.</summary>
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

/// <summary>One topic or pattern, and its group; null for a subscriber of its own.</summary>
internal sealed record Interest(string Topic, string? Group = null);

/// <summary>What became of a signal at one node.</summary>
internal sealed record SignalReceipt(int Receivers, IReadOnlyList<Refusal> Refused);

/// <summary>A group that got no copy here, and why.</summary>
internal sealed record Refusal(string Group, int Status, string Detail);

[JsonSerializable(typeof(NodeDocument))]
[JsonSerializable(typeof(SignalReceipt))]
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
internal sealed partial class HttpJsonContext : JsonSerializerContext;
