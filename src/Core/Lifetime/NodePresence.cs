namespace ServiceMesh;

/// <summary>What a node tells others about itself.</summary>
internal sealed class NodePresence(NodeIdentity node, NodeState state, SubscriptionRegistry subscriptions, TimeProvider clock)
{
    private readonly long _started = clock.GetTimestamp();

    public string NodeId => node.Id;

    public NodeInfo Describe() => new()
    {
        Id = node.Id,
        Name = node.Name,
        Host = Environment.MachineName,
        ProcessId = Environment.ProcessId,
        Uptime = clock.GetElapsedTime(_started),
        IsDraining = state.IsDraining,
        Subscriptions = subscriptions.Describe(),
    };

    /// <summary>Answers <see cref="MeshTopics.Node"/> with the description.</summary>
    public HandlerDefinition Handler() => HandlerDefinition.ForRequest<Unit, NodeInfo>(
        MeshTopics.Node(node.Id).Pattern, "presence", (_, _) => new ValueTask<NodeInfo>(Describe()));
}
