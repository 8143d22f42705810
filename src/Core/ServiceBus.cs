namespace ServiceMesh;

/// <summary>One bus: each verb as its ordered steps.</summary>
internal sealed class ServiceBus(ITransport transport, Sender sender, Subscriber subscriber, NodeLifetime lifetime) : IServiceBus
{
    public NodeInfo DescribeNode() => lifetime.Describe();

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) => lifetime.WhyNotConnected is { } reason
        ? Task.FromException<IReadOnlyList<NodeInfo>>(new TransportException(reason))
        : transport.ListNodesAsync(cancellationToken);

    public Task<TOut> RequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken) =>
        TryPrepare(topic, input, options, cancellationToken, out var failure) is { } request
            ? request.ValueAsync<TOut>()
            : Task.FromException<TOut>(failure!);

    public Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken) =>
        TryPrepare(topic, input, options, cancellationToken, out var failure) is { } request
            ? request.ReplyAsync<TOut>()
            : Task.FromException<Reply<TOut>>(failure!);

    public async Task<SignalResult> SignalAsync<T>(
        SignalTopic<T> topic, T value, RequestOptions? options, CancellationToken cancellationToken)
    {
        using var scope = Begin(topic, options, cancellationToken);
        return await sender.SignalAsync(topic, value, scope).ConfigureAwait(false);
    }

    public async Task<TOut> ExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken)
    {
        var reply = await TryExecuteAsync(composition, input, options, cancellationToken).ConfigureAwait(false);
        return reply.GetValueOrThrow();
    }

    public Task<Reply<TOut>> TryExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(composition);
        return TryResumeAsync(new Remainder<TIn, TOut>(composition, input), options, cancellationToken);
    }

    public async Task<Reply<TOut>> TryResumeAsync<TOut>(
        Resumption<TOut> resumption, RequestOptions? options, CancellationToken cancellationToken)
    {
        using var scope = Begin(resumption, options, cancellationToken);
        var activity = Telemetry.StartComposition(resumption);
        var status = StatusCode.None;
        try
        {
            var reply = await ((Remainder<TOut>)resumption).RunAsync(SentRun.Of(sender, scope)).ConfigureAwait(false);
            status = reply.Status;
            return reply;
        }
        finally
        {
            Telemetry.EndComposition(activity, status);
        }
    }

    public Task<ISubscription> SubscribeAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, Func<TIn, HandlerContext, Task<TOut>> handler, HandlerOptions? options,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeAsync(
            HandlerDefinition.ForRequest<TIn, TOut>(topic.Pattern, "delegate", (input, context) =>
                new ValueTask<TOut>(handler(input, context))).CalledAs(handler.Method), options, cancellationToken);
    }

    public Task<ISubscription> SubscribeAsync<T>(
        SignalPattern<T> pattern, Func<T, HandlerContext, Task> handler, HandlerOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeAsync(
            HandlerDefinition.ForSignal<T>(pattern.Pattern, "delegate", (signal, context) =>
                new ValueTask(handler(signal, context))).CalledAs(handler.Method), options, cancellationToken);
    }

    // Not asynchronous, because an asynchronous method keeps all that it is given until it ends.
    private OutgoingRequest? TryPrepare<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken, out Exception? failure)
    {
        var scope = Begin(topic, options, cancellationToken, isRequest: true);
        try
        {
            failure = null;
            return sender.Prepare<TIn, TOut>(topic.Topic, topic.IsIdempotent, input, scope);
        }
        catch (Exception thrown)
        {
            scope.Dispose();
            failure = thrown;
            return null;
        }
    }

    private CallScope Begin(object called, RequestOptions? options, CancellationToken cancellationToken, bool isRequest = false)
    {
        ArgumentNullException.ThrowIfNull(called);
        options?.Check();
        return sender.Begin(options, cancellationToken, isRequest);
    }

    private Task<ISubscription> SubscribeAsync(HandlerDefinition handler, HandlerOptions? options, CancellationToken cancellationToken)
    {
        handler = handler.With(HandlerOptionsValidator.Checked(options ?? new(), handler));
        return lifetime.IsRunning
            ? subscriber.SubscribeAsync(handler, cancellationToken)
            : throw new InvalidOperationException($"The bus of node '{lifetime.NodeId}' is not running, so nothing can be subscribed.");
    }
}
