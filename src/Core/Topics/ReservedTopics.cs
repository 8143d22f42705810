namespace ServiceMesh;

/// <summary>The names that belong to the bus itself: those that begin with <c>mesh.</c>.</summary>
internal static class ReservedTopics
{
    public const string Prefix = "mesh.";

    /// <summary>Where error reports are published.</summary>
    public static readonly Topic Errors = Topic.Parse(Prefix + "errors");

    /// <summary>What log entries are published below, with the id of the node behind it.</summary>
    public const string Logs = Prefix + "log.";

    /// <summary>What nodes are asked about themselves below, with the id of the node behind it.</summary>
    public const string Nodes = Prefix + "node.";

    /// <summary>True for the entries of a log.</summary>
    public static bool IsLog(Topic topic) => IsLog(topic.ToString());

    /// <inheritdoc cref="IsLog(Topic)"/>
    public static bool IsLog(string topic) => topic.StartsWith(Logs, StringComparison.Ordinal);

    public static bool IsReserved(Topic topic) => topic.ToString().StartsWith(Prefix, StringComparison.Ordinal);

    public static bool IsReserved(TopicPattern pattern) => pattern.ToString().StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>
    /// The name of a topic in metrics: the topics of one node are one series, because node ids come and go and each would be a series
    /// of its own for ever.
    /// </summary>
    public static string Series(string topic) =>
        topic.StartsWith(Logs, StringComparison.Ordinal) ? $"{Logs}*"
        : topic.StartsWith(Nodes, StringComparison.Ordinal) ? $"{Nodes}*"
        : topic;

    /// <summary>
    /// True for error reports. Their size is bounded by <c>Errors:MaxDataBytes</c>, so that a small limit for bodies does not make
    /// every report too large to send.
    /// </summary>
    public static bool HasOwnLimit(Topic topic) => topic == Errors;
}
