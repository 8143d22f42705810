namespace ServiceMesh;

/// <summary>
/// Topics of the bus itself. Names that begin with <c>mesh.</c> are reserved: an application may call and subscribe to
/// these, and handles no other topic below it.
/// </summary>
public static class MeshTopics
{
    internal const string ReservedPrefix = "mesh.";

    /// <summary>Where failures are published under <see cref="ErrorPolicy.Publish"/>: <c>mesh.errors</c>.</summary>
    public static SignalTopic<ErrorReport> Errors { get; } = new("mesh.errors");

    /// <summary>Asks one node who it is and what it handles: <c>mesh.node.ID</c>.</summary>
    /// <exception cref="FormatException">The id is not a node id.</exception>
    public static RequestTopic<Unit, NodeInfo> Node(string nodeId) => new($"mesh.node.{nodeId}");

    // Reports are bounded by ServiceMesh:Errors:MaxDataBytes; a small limit for bodies must not make all of them unsendable.
    internal static bool HasOwnLimit(Topic topic) => topic == Errors.Topic;

    internal static bool IsReserved(TopicPattern pattern) => pattern.ToString().StartsWith(ReservedPrefix, StringComparison.Ordinal);
}
