namespace ServiceMesh.Transports;

/// <summary>What <see cref="SignalResult.Receivers"/> counts.</summary>
public enum ReceiverCount
{
    /// <summary>The transport cannot count; the result is null.</summary>
    Unknown,

    /// <summary>
    /// The copies that were handed out: a node counts once for all its individual subscribers of a topic, again for a pattern
    /// even if that turns out not to match, and each group counts once. 0 means that nothing was handed out.
    /// </summary>
    Deliveries,

    /// <summary>Nodes that have at least one matching subscription.</summary>
    Nodes,

    /// <summary>Subscriptions that accepted it: each individual, and one for each group.</summary>
    Subscriptions,
}

/// <summary>What a transport declares about itself. Constant for its lifetime.</summary>
public sealed record TransportCapabilities
{
    /// <summary>The transport's name in telemetry (<c>messaging.system</c>) and messages, for instance <c>redis</c>.</summary>
    public required string System { get; init; }

    /// <summary>What it can do. Default: none.</summary>
    public TransportFeatures Features { get; init; }

    /// <summary>What a signal's receiver count means. Default: it cannot count.</summary>
    public ReceiverCount ReceiverCount { get; init; }

    /// <summary>The largest body in bytes that it can move. Default: no limit of its own.</summary>
    public int MaxBodyBytes { get; init; } = int.MaxValue;

    /// <summary>
    /// True when nothing of the transport looks at the token of a request once the request's task has ended, a handler
    /// that runs on included: the bus then uses it for its next request. Default: false.
    /// </summary>
    public bool ReleasesTokens { get; init; }

    /// <summary>True when groups may have the names that foreign programs give them. Default: false.</summary>
    internal bool AllowsAnyGroupName { get; init; }

    /// <summary>True when it has all of these.</summary>
    public bool Has(TransportFeatures features) => (Features & features) == features;
}
