using Microsoft.Extensions.Logging;

namespace ServiceMesh.Redis;

/// <summary>Every log message of the Redis transport. None carries a body or a password.</summary>
internal static partial class RedisLog
{
    [LoggerMessage(100, LogLevel.Warning, "The connection to Redis is gone: {Reason}")]
    public static partial void GapBegan(ILogger logger, string reason);

    [LoggerMessage(101, LogLevel.Warning,
        "Redis and all subscriptions are back; it was away from {From:O} to {To:O}, and messages for this node in between may be lost")]
    public static partial void GapEnded(ILogger logger, DateTimeOffset from, DateTimeOffset to);

    [LoggerMessage(102, LogLevel.Warning, "{Pending} requests end with an unknown outcome, because their replies may be lost")]
    public static partial void OutcomesUnknown(ILogger logger, int pending);

    [LoggerMessage(103, LogLevel.Warning, "The claim of a request on {Topic} could not be taken by its caller: {Reason}")]
    public static partial void TakeBackFailed(ILogger logger, Topic topic, string reason);

    [LoggerMessage(104, LogLevel.Warning, "The bus starts without Redis and keeps trying: {Reason}")]
    public static partial void StartedWithoutRedis(ILogger logger, string reason);

    [LoggerMessage(105, LogLevel.Information, "Redis is still away: {Reason}")]
    public static partial void StillAway(ILogger logger, string reason);

    [LoggerMessage(106, LogLevel.Error, "A handler of RedisGaps threw")]
    public static partial void GapHandlerFailed(ILogger logger, Exception failure);

    [LoggerMessage(108, LogLevel.Error, "Redis has stopped this node from hearing {Channel}: {Reason}")]
    public static partial void NotRestored(ILogger logger, string channel, string reason);

    [LoggerMessage(109, LogLevel.Warning, "What this node hears could not be taken off Redis: {Reason}")]
    public static partial void NotUnsubscribed(ILogger logger, string reason);

    [LoggerMessage(110, LogLevel.Warning, "This node's entry in the directory could not be written: {Reason}")]
    public static partial void NotAnnounced(ILogger logger, string reason);

    [LoggerMessage(111, LogLevel.Warning, "Node {Peer} is taken for dead: {Reason}")]
    public static partial void MemberDead(ILogger logger, string peer, string reason);

    [LoggerMessage(112, LogLevel.Warning,
        "{Replicas} is a replica beside its master: the node follows a change of the master within ten seconds, and signals do not tell "
        + "how many received them. Name the master alone, or the Sentinels with serviceName=NAME ({Key})")]
    public static partial void ReplicaInList(ILogger logger, string replicas, string key);

    [LoggerMessage(107, LogLevel.Warning, "The receivers of {Topic} could not be counted on every server: {Reason}")]
    public static partial void CountFailed(ILogger logger, Topic topic, string reason);
}
