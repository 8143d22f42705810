namespace ServiceMesh;

/// <summary>Who a node is and what it handles, at one moment. Any node answers it; see <see cref="MeshTopics.Node"/>.</summary>
public sealed record NodeInfo
{
    /// <summary>Unique among all nodes: name, host, process and a random part; a valid topic segment.</summary>
    public required string Id { get; init; }

    /// <summary>What the service is called (<c>ServiceMesh:NodeName</c>); the same for its replicas.</summary>
    public required string Name { get; init; }

    /// <summary>The machine it runs on.</summary>
    public required string Host { get; init; }

    /// <summary>Its process id on that machine.</summary>
    public required int ProcessId { get; init; }

    /// <summary>How long it has been there.</summary>
    public required TimeSpan Uptime { get; init; }

    /// <summary>True while it finishes what it has and refuses what is new.</summary>
    public required bool IsDraining { get; init; }

    /// <summary>What it is subscribed to.</summary>
    public required IReadOnlyList<SubscriptionInfo> Subscriptions { get; init; }
}

/// <summary>One thing that a node is subscribed to.</summary>
public sealed record SubscriptionInfo
{
    /// <summary>Whether it answers requests or receives signals.</summary>
    public required MessageKind Kind { get; init; }

    /// <summary>The topic or pattern.</summary>
    public required string Pattern { get; init; }

    /// <summary>The group; null for a signal subscriber of its own.</summary>
    public string? Group { get; init; }
}
