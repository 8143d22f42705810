using Microsoft.Extensions.Logging;

namespace ServiceMesh.Transports;

/// <summary>What the bus gives a transport at start: who the node is, and where to report what is lost. Thread-safe.</summary>
public sealed class TransportContext
{
    private readonly ErrorReporter _errors;
    private readonly Func<string, string> _keyOf;
    private readonly Func<NodeInfo> _describe;

    internal TransportContext(
        NodeIdentity node, BodyLimit bodies, ErrorReporter errors, Func<string, string> keyOf, Func<NodeInfo> describe,
        ILoggerFactory loggerFactory, TimeProvider clock)
    {
        NodeId = node.Id;
        MaxBodyBytes = bodies.MaxBytes;
        _errors = errors;
        _keyOf = keyOf;
        _describe = describe;
        LoggerFactory = loggerFactory;
        Clock = clock;
    }

    /// <summary>The id of this node: unique, and a valid topic segment.</summary>
    public string NodeId { get; }

    /// <summary>The clock of this node.</summary>
    public TimeProvider Clock { get; }

    /// <summary>Makes the transport's loggers.</summary>
    public ILoggerFactory LoggerFactory { get; }

    /// <summary>The largest body in bytes that this node accepts; check it before reading one.</summary>
    public int MaxBodyBytes { get; }

    /// <summary>
    /// The full path of a key of this bus, for messages that tell what to change: <c>ServiceMesh:Request:MaxBodyBytes</c>.
    /// </summary>
    /// <param name="key">The key within the section that the bus was given: <c>Request:MaxBodyBytes</c>.</param>
    public string KeyOf(string key) => _keyOf(key);

    /// <summary>Who this node is and what it handles, at this moment.</summary>
    public NodeInfo Describe() => _describe();

    /// <summary>
    /// Something that arrived or should have left is lost: counted (<c>servicemesh.dropped.messages</c>), logged and
    /// reported under the error policy.
    /// </summary>
    /// <param name="reason">A short constant such as <c>malformed-frame</c>: it becomes a metric's tag.</param>
    /// <param name="topic">The topic or channel, as far as it is known.</param>
    /// <param name="detail">A sentence for the log and the report. Never the body.</param>
    /// <param name="status">What it would have been answered with. Default: 400.</param>
    /// <param name="sender">The id of the node that sent it, as far as it is known.</param>
    public void ReportLoss(
        string reason, string topic, string detail, StatusCode status = StatusCode.BadRequest, string sender = "unknown") =>
        _errors.ReportLoss(reason, topic, detail, status, sender);

    /// <summary>Counts a loss and says nothing: one of many that are told together.</summary>
    internal void CountLoss(string reason, string topic) => _errors.CountLoss(reason, topic);

    /// <summary>Logs and reports what has been counted already.</summary>
    internal void TellLoss(string reason, string topic, string detail, StatusCode status, string sender) =>
        _errors.TellLoss(reason, topic, detail, status, sender);
}
