using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Log messages of a node as a server. The ids are stable.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(400, LogLevel.Information, "Node {NodeId} listens on {Addresses}")]
    public static partial void Listening(ILogger logger, string nodeId, string addresses);

    [LoggerMessage(407, LogLevel.Error, "A message to '{Topic}' could not be read")]
    public static partial void NotRead(ILogger logger, string topic, Exception failure);

    [LoggerMessage(404, LogLevel.Warning, "These nodes did not confirm in time that {What}: {Watchers}")]
    public static partial void NotConfirmed(ILogger logger, string what, string watchers);
}
