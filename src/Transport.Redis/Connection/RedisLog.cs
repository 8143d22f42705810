using Microsoft.Extensions.Logging;

namespace ServiceMesh.Redis;

/// <summary>Every log message of the Redis transport. None carries a body or a password.</summary>
internal static partial class RedisLog
{
    [LoggerMessage(100, LogLevel.Warning, "The subscription to Redis is gone ({Reason}); {Pending} requests end with an unknown outcome")]
    public static partial void GapBegan(ILogger logger, string reason, int pending);

    [LoggerMessage(101, LogLevel.Warning, "The subscription to Redis is back; messages between {From:O} and {To:O} may be lost")]
    public static partial void GapEnded(ILogger logger, DateTimeOffset from, DateTimeOffset to);

    [LoggerMessage(103, LogLevel.Warning, "A request on {Topic} could not be taken back from a node that left: {Reason}")]
    public static partial void TakeBackFailed(ILogger logger, Topic topic, string reason);

    [LoggerMessage(102, LogLevel.Warning, "A reply to {Sender} could not be published: {Reason}")]
    public static partial void ReplyNotSent(ILogger logger, string sender, string reason);
}
