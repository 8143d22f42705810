namespace ServiceMesh;

/// <summary>What a transport can do beyond what all can. The bus checks at start what the configured code needs.</summary>
[Flags]
public enum TransportFeatures
{
    /// <summary>Only what all transports can do.</summary>
    None = 0,

    /// <summary>Signals may be subscribed to by pattern.</summary>
    Patterns = 1,

    /// <summary>Signals may be subscribed to in groups.</summary>
    SignalGroups = 2,

    /// <summary>Messages of one sender on one topic arrive in the order in which they were sent.</summary>
    OrderedDelivery = 4,

    /// <summary>When a caller gives up, the token of the handler that runs for it fires before the deadline.</summary>
    Cancellation = 8,

    /// <summary>
    /// A request reaches one member of every group of its topic and the first answer counts. Without it, one member of
    /// one group gets the request.
    /// </summary>
    RequestsReachEveryGroup = 16,

    /// <summary>A signal waits for a subscriber that is away.</summary>
    DurableSignals = 32,

    /// <summary>
    /// The transport authenticates callers and evaluates authorization policies: <see cref="Message.Caller"/> of each message that a
    /// handler with a policy receives is set.
    /// </summary>
    Authorization = 64,
}
