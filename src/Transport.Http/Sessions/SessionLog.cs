using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>Log messages about sessions. The ids are stable.</summary>
internal static partial class SessionLog
{
    [LoggerMessage(430, LogLevel.Debug, "A session with node {Node} at {Endpoint} is open")]
    public static partial void Opened(ILogger logger, string node, Endpoint endpoint);

    [LoggerMessage(431, LogLevel.Debug, "A session of node {Node} is open")]
    public static partial void Accepted(ILogger logger, string node);

    [LoggerMessage(432, LogLevel.Debug, "A session of node {Node} ended: {Why}")]
    public static partial void Ended(ILogger logger, string node, string why);

    [LoggerMessage(433, LogLevel.Information, "The session with node {Node} at {Endpoint} ended after {Seconds:0.0} s: {Why}")]
    public static partial void Lost(ILogger logger, string node, Endpoint endpoint, double seconds, string why);

    [LoggerMessage(
        434, LogLevel.Information, "No session with node {Node} at {Endpoint}, each message uses an exchange of its own: {Why}")]
    public static partial void NotOpened(ILogger logger, string node, Endpoint endpoint, string why);
}
