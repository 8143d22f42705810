using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>The way into a node: makes subscriptions, and has what all of them share. The counterpart of <c>Sender</c>.</summary>
internal sealed class Receiver(
    NodeIdentity node,
    NodeState state,
    HandlerPipeline pipeline,
    HandlerLimits limits,
    ErrorDetails details,
    BodyLimit bodies,
    Telemetry telemetry,
    ErrorReporter errors,
    ILogger logger,
    TimeProvider clock)
{
    public string NodeId => node.Id;

    public NodeState State => state;

    public HandlerPipeline Pipeline => pipeline;

    /// <summary>What holds for handlers that do not say otherwise.</summary>
    public HandlerLimits Limits => limits;

    /// <summary>What callers learn about exceptions.</summary>
    public ErrorDetails Details => details;

    public BodyLimit Bodies => bodies;

    public Telemetry Telemetry => telemetry;

    public ErrorReporter Errors => errors;

    public ILogger Logger => logger;

    public TimeProvider Clock => clock;

    /// <exception cref="NotSupportedException">The serializer refuses a type of the handler.</exception>
    public Subscription Subscribe(HandlerDefinition handler) => new(this, handler);
}

/// <summary>How long one message may be handled, how many are handled at once, and how many wait.</summary>
internal sealed record HandlerLimits(TimeSpan Timeout, int MaxConcurrency, int MaxQueued);
