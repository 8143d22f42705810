namespace ServiceMesh;

/// <summary>
/// Everything a caller can do: ask, signal, compose, and subscribe at run time. A singleton, thread-safe, and the same
/// over every transport.
/// </summary>
/// <remarks>
/// The host starts and stops it. What all requests have in common: they end exactly once and within their deadline;
/// the caller's own cancellation is always <see cref="OperationCanceledException"/>; a type that the serializer refuses
/// and a value that cannot be encoded throw <see cref="NotSupportedException"/> or what a converter throws, before
/// anything is sent. In a composition, whose values are made by its steps, a value that cannot be encoded is a failure of its step.
/// Before the start, and after the stop or the disposal of its host, a bus describes its node, refuses requests,
/// signals and compositions with <see cref="StatusCode.Unavailable"/> as not processed (<see cref="TransportUnavailableException"/>),
/// does not list nodes (<see cref="TransportException"/>) and takes no subscription (<see cref="InvalidOperationException"/>).
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Requests.cs" region="request" />
/// </example>
public interface IServiceBus
{
    /// <summary>Who this node is and what it handles, at this moment.</summary>
    NodeInfo DescribeNode();

    /// <summary>
    /// The nodes of the mesh that are known of now, this one included, each with what it handles. A node that died
    /// disappears within a time that depends on the transport.
    /// </summary>
    /// <exception cref="TransportException">The transport cannot tell now.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken = default);

    /// <summary>Sends a request to the handler of the topic, and returns its answer.</summary>
    /// <param name="topic">What to call.</param>
    /// <param name="input">What to send; null where the type allows it.</param>
    /// <param name="options">Timeout and headers; null for the configured defaults.</param>
    /// <param name="cancellationToken">Stops waiting at once and, where the transport can, cancels the handler.</param>
    /// <exception cref="ServiceMeshException">The request failed; the kind of exception says how.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    Task<TOut> RequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken = default);

    /// <summary>Sends a request to the handler of the topic. A failure is a reply with its status, never an exception.</summary>
    /// <inheritdoc cref="RequestAsync"/>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken = default);

    /// <summary>Tells every subscriber of the topic, and does not wait for what they do with it.</summary>
    /// <param name="topic">What happened.</param>
    /// <param name="value">What to send.</param>
    /// <param name="options">
    /// Headers, and how long sending may take; null for the configured defaults.
    /// </param>
    /// <param name="cancellationToken">Stops sending. Subscribers that have received the signal keep it.</param>
    /// <returns>How many received it. That none did is an answer, not an error.</returns>
    /// <exception cref="ServiceMeshException">It could not be sent: too large, too late, or no transport.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    Task<SignalResult> SignalAsync<T>(
        SignalTopic<T> topic, T value, RequestOptions? options, CancellationToken cancellationToken = default);

    /// <summary>Executes a composition and returns its value. One deadline, one token and one trace span all steps.</summary>
    /// <exception cref="ServiceMeshException">A step failed; <see cref="ReplyFailure.Step"/> says which.</exception>
    /// <exception cref="OperationCanceledException">The token fired; every running step has been cancelled.</exception>
    Task<TOut> ExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken = default);

    /// <summary>Executes a composition. A failure is a reply that says which step failed and can be resumed from there.</summary>
    /// <exception cref="OperationCanceledException">The token fired; every running step has been cancelled.</exception>
    Task<Reply<TOut>> TryExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken = default);

    /// <summary>Executes what a failed composition left undone, the failed step first, under a deadline of its own.</summary>
    /// <exception cref="OperationCanceledException">The token fired; every running step has been cancelled.</exception>
    Task<Reply<TOut>> TryResumeAsync<TOut>(
        Resumption<TOut> resumption, RequestOptions? options, CancellationToken cancellationToken = default);

    /// <summary>Answers requests from now on, until the returned handle is disposed.</summary>
    /// <exception cref="InvalidOperationException">
    /// The group has a handler for this topic on this node already, the bus does not run, or its transport lacks what the
    /// handler needs.
    /// </exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    /// <exception cref="NotSupportedException">The serializer refuses a type of the topic.</exception>
    Task<ISubscription> SubscribeAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, Func<TIn, HandlerContext, Task<TOut>> handler, HandlerOptions? options = null,
        CancellationToken cancellationToken = default);

    /// <summary>Receives signals from now on, until the returned handle is disposed.</summary>
    /// <exception cref="InvalidOperationException">
    /// The group has a handler for this pattern on this node already, the bus does not run, or its transport lacks what
    /// the handler needs.
    /// </exception>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    /// <exception cref="NotSupportedException">The serializer refuses a type of the topic.</exception>
    Task<ISubscription> SubscribeAsync<T>(
        SignalPattern<T> pattern, Func<T, HandlerContext, Task> handler, HandlerOptions? options = null,
        CancellationToken cancellationToken = default);
}

/// <summary>
/// A subscription made at run time. Disposing it stops new messages, waits for those in flight (at most
/// <c>ServiceMesh:DrainTimeout</c>), and may be done more than once. Do not wait for it inside its own handler.
/// </summary>
public interface ISubscription : IAsyncDisposable
{
    /// <summary>What it listens to.</summary>
    TopicPattern Pattern { get; }

    /// <summary>Its group; null for a signal subscriber of its own.</summary>
    string? Group { get; }
}

/// <summary>The verbs of <see cref="IServiceBus"/> with the configured timeout and no headers.</summary>
public static class ServiceBusExtensions
{
    /// <inheritdoc cref="IServiceBus.RequestAsync"/>
    public static Task<TOut> RequestAsync<TIn, TOut>(
        this IServiceBus bus, RequestTopic<TIn, TOut> topic, TIn input, CancellationToken cancellationToken = default) =>
        Checked(bus).RequestAsync(topic, input, null, cancellationToken);

    /// <inheritdoc cref="IServiceBus.TryRequestAsync"/>
    public static Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(
        this IServiceBus bus, RequestTopic<TIn, TOut> topic, TIn input, CancellationToken cancellationToken = default) =>
        Checked(bus).TryRequestAsync(topic, input, null, cancellationToken);

    /// <inheritdoc cref="IServiceBus.SignalAsync"/>
    public static Task<SignalResult> SignalAsync<T>(
        this IServiceBus bus, SignalTopic<T> topic, T value, CancellationToken cancellationToken = default) =>
        Checked(bus).SignalAsync(topic, value, null, cancellationToken);

    /// <inheritdoc cref="IServiceBus.ExecuteAsync"/>
    public static Task<TOut> ExecuteAsync<TIn, TOut>(
        this IServiceBus bus, Composition<TIn, TOut> composition, TIn input, CancellationToken cancellationToken = default) =>
        Checked(bus).ExecuteAsync(composition, input, null, cancellationToken);

    /// <inheritdoc cref="IServiceBus.TryExecuteAsync"/>
    public static Task<Reply<TOut>> TryExecuteAsync<TIn, TOut>(
        this IServiceBus bus, Composition<TIn, TOut> composition, TIn input, CancellationToken cancellationToken = default) =>
        Checked(bus).TryExecuteAsync(composition, input, null, cancellationToken);

    /// <inheritdoc cref="IServiceBus.TryResumeAsync"/>
    public static Task<Reply<TOut>> TryResumeAsync<TOut>(
        this IServiceBus bus, Resumption<TOut> resumption, CancellationToken cancellationToken = default) =>
        Checked(bus).TryResumeAsync(resumption, null, cancellationToken);

    private static IServiceBus Checked(IServiceBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus;
    }
}
