using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>Every log message of Core. Each carries topic and sender where it has them, and never a body.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Node {NodeId} started on the {Transport} transport ({Server}) and is subscribed to {Topics}")]
    public static partial void Started(ILogger logger, string nodeId, string transport, string server, string topics);

    [LoggerMessage(
        2, LogLevel.Information, "Node {NodeId} drains: it refuses new messages and waits up to {Timeout} for {InFlight} in flight")]
    public static partial void Draining(ILogger logger, string nodeId, TimeSpan timeout, int inFlight);

    [LoggerMessage(3, LogLevel.Information, "Node {NodeId} has drained")]
    public static partial void Drained(ILogger logger, string nodeId);

    [LoggerMessage(4, LogLevel.Warning, "Node {NodeId} waited {Timeout} and cancels {InFlight} messages that are still in flight")]
    public static partial void DrainTimedOut(ILogger logger, string nodeId, TimeSpan timeout, int inFlight);

    [LoggerMessage(5, LogLevel.Warning, "Node {NodeId} stops with {InFlight} handlers that do not react to their cancellation token")]
    public static partial void HandlersLeftBehind(ILogger logger, string nodeId, int inFlight);

    [LoggerMessage(6, LogLevel.Error, "The transport did not {Step} cleanly")]
    public static partial void TransportStopFailed(ILogger logger, string step, Exception exception);

    [LoggerMessage(62, LogLevel.Warning, "The configuration has changed: {Keys}. The change takes effect after a restart")]
    public static partial void NeedsRestart(ILogger logger, string keys);

    [LoggerMessage(
        EventId = 61,
        Message = "Node {NodeId} is disposed without having been stopped, and cancels {InFlight} messages that are in flight")]
    public static partial void DisposedWithoutStop(ILogger logger, LogLevel level, string nodeId, int inFlight);

    [LoggerMessage(
        7, LogLevel.Warning, "The configuration section {Section} does not exist: the bus runs with the default of every option")]
    public static partial void SectionIsMissing(ILogger logger, string section);

    [LoggerMessage(
        60, LogLevel.Warning,
        "All threads of the pool were blocked, so it has up to {Threads} now. Handlers should await what they wait for and not block")]
    public static partial void PoolBlocked(ILogger logger, int threads);

    [LoggerMessage(
        EventId = 10,
        Message = "Handling {Topic} from {Sender} failed with {Status}: {Reason} (message {MessageId}, trace {TraceId})")]
    public static partial void HandlingFailed(
        ILogger logger, LogLevel level, Topic topic, string sender, int status, string reason, string messageId, string traceId,
        Exception? exception);

    [LoggerMessage(11, LogLevel.Warning, "The handler of {Topic} for {Sender} ended {Late} after it had been given up")]
    public static partial void HandlerOverran(ILogger logger, Topic topic, string sender, TimeSpan late, Exception? exception);

    [LoggerMessage(12, LogLevel.Error, "Disposing the services of a handler of {Topic} failed, for {Sender}")]
    public static partial void ScopeDisposeFailed(ILogger logger, string topic, string sender, Exception exception);

    [LoggerMessage(13, LogLevel.Warning, "Lost a message on {Topic} ({Reason}) from {Sender}: {Detail}")]
    public static partial void Dropped(ILogger logger, string topic, string sender, string reason, string detail);

    [LoggerMessage(EventId = 14, Message = "{Count} more lines like this one within {Seconds} s: {Line}")]
    public static partial void Repeated(ILogger logger, LogLevel level, int count, double seconds, string line);

    [LoggerMessage(20, LogLevel.Debug, "Request {Topic} from {Sender} failed with {Status}: {Error}")]
    public static partial void RequestFailed(ILogger logger, string topic, string sender, int status, string error);

    [LoggerMessage(21, LogLevel.Error, "The transport broke its contract on {Topic} from {Sender}: it threw instead of answering")]
    public static partial void TransportThrew(ILogger logger, string topic, string sender, Exception exception);

    [LoggerMessage(
        30, LogLevel.Warning,
        "An error report about {Topic} from {Sender} (status {Status}) is left out: it is about the handling of a report")]
    public static partial void ReportLeftOut(ILogger logger, string topic, string sender, int status);

    [LoggerMessage(31, LogLevel.Error, "An error report about {Topic} from {Sender} (status {Status}) is lost: {Reason}{Others}")]
    public static partial void ReportLost(
        ILogger logger, string topic, string sender, int status, string reason, string others, Exception? exception);

    [LoggerMessage(
        32, LogLevel.Warning, "The error queue is full at {Capacity} reports: the oldest {Lost} are dropped. Drain it (IErrorQueue)")]
    public static partial void ErrorQueueFull(ILogger logger, int capacity, int lost);

    [LoggerMessage(33, LogLevel.Warning, "Skipped {Lines} unreadable lines of the error queue {File}")]
    public static partial void ErrorQueueDamaged(ILogger logger, int lines, string file);
}
