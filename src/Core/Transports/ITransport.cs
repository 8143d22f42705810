namespace ServiceMesh.Transports;

/// <summary>
/// Moves messages between nodes, and nothing else: limits, handling, tracing, deadlines and error reports are in Core
/// and the same for all. What a transport promises is defined by the conformance suite; see
/// <c>docs/writing-a-transport.md</c>.
/// </summary>
/// <remarks>
/// The bus calls <see cref="StartAsync"/> once, then any of the verbs from any thread, then <see cref="DrainAsync"/>
/// and <see cref="StopAsync"/> once each. All members must be thread-safe.
/// </remarks>
public interface ITransport
{
    /// <summary>
    /// What this transport can and cannot do. Constant; read before <see cref="StartAsync"/>. Only the receiver count may turn
    /// out to be <see cref="ReceiverCount.Unknown"/> when it has started and sees what it runs on.
    /// </summary>
    TransportCapabilities Capabilities { get; }

    /// <summary>Whether it can move messages right now, with the reason when it cannot. Cheap: health checks ask often.</summary>
    TransportHealth Health => TransportHealth.Healthy;

    /// <summary>
    /// What it is connected to or listens on, for the start line of the log: <c>localhost:6379</c>. Never a password. Read when it
    /// has started. Null when there is only this process.
    /// </summary>
    string? Server => null;

    /// <summary>
    /// A store of error reports that all nodes of this transport share; null to use the file of each node. Asked for before
    /// <see cref="StartAsync"/>, used after it; what it cannot do then it says with <see cref="TransportException"/>.
    /// </summary>
    IErrorStore? ErrorQueue => null;

    /// <summary>
    /// Connects. Ends in a bounded time: connected, or with an exception that says what could not be reached.
    /// </summary>
    Task StartAsync(TransportContext context, CancellationToken cancellationToken);

    /// <summary>
    /// The node is about to refuse messages: tell the others, so that they send elsewhere. Replies to what is in flight
    /// must still get out, and requests of this node still go through, until <see cref="StopAsync"/>.
    /// </summary>
    Task DrainAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends every subscription and connection. A request that can no longer get an answer ends now, with 503.</summary>
    Task StopAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Sends a request and waits for its answer. Every outcome but cancellation is a <see cref="ReplyMessage"/>:
    /// <see cref="ReplyMessage.NoHandler"/> when no node handles the topic, 503 when the transport cannot send.
    /// </summary>
    /// <param name="request">Carries the deadline, which must reach the handler.</param>
    /// <param name="cancellationToken">
    /// Fires when the caller gave up or the deadline passed. The transport then stops waiting at once, lets the
    /// handler's node know where it can (<see cref="TransportFeatures.Cancellation"/>), and throws.
    /// </param>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken);

    /// <summary>
    /// Sends a signal to every matching individual and one member of each matching group, and does not wait for the
    /// handlers. A transport that cannot send now throws <see cref="TransportException"/>.
    /// </summary>
    ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken);

    /// <summary>
    /// The nodes that this transport knows of now, this one included. A node that died disappears within a time that the
    /// transport documents.
    /// </summary>
    /// <exception cref="TransportException">The transport cannot tell now.</exception>
    Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Delivers to a subscription from now on: when the task ends, a message sent by any node arrives. Several are given
    /// at once so that a node with many starts quickly.
    /// </summary>
    Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken);

    /// <summary>Stops delivering to a subscription: when the task ends, no further message is offered to it.</summary>
    Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken);
}
