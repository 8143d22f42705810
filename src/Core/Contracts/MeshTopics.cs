namespace ServiceMesh;

/// <summary>
/// Topics of the bus itself. Names that begin with <c>mesh.</c> are reserved: an application may call and subscribe to
/// these, and handles no other topic below that prefix. Their bodies are always JSON, whichever serializer is configured.
/// </summary>
public static class MeshTopics
{
    /// <summary>Where failures are published under <see cref="ErrorPolicy.Publish"/>: <c>mesh.errors</c>.</summary>
    public static SignalTopic<ErrorReport> Errors { get; } = new(ReservedTopics.Errors.ToString());

    /// <summary>
    /// The log of every node that publishes its log (<c>AddServiceMeshLogging</c>): <c>mesh.log.*</c>. One subscriber reads the logs of all
    /// services.
    /// </summary>
    public static SignalPattern<LogEntry> Logs { get; } = new($"{ReservedTopics.Logs}*");

    /// <summary>The log of one node: <c>mesh.log.ID</c>.</summary>
    /// <exception cref="FormatException">The id is not a node id.</exception>
    public static SignalTopic<LogEntry> Log(string nodeId) => new($"{ReservedTopics.Logs}{nodeId}");

    /// <summary>Asks one node who it is and what it handles: <c>mesh.node.ID</c>.</summary>
    /// <exception cref="FormatException">The id is not a node id.</exception>
    public static RequestTopic<Unit, NodeInfo> Node(string nodeId) => new($"{ReservedTopics.Nodes}{nodeId}");
}
