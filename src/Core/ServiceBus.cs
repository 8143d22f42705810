namespace ServiceMesh;

/// <summary>One bus: each verb as its ordered steps.</summary>
internal sealed class ServiceBus(Node node, ITransport transport, Sender sender, Subscriber subscriber, NodeLifetime lifetime) : IServiceBus
{
    public NodeInfo DescribeNode() => node.Describe();

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) => transport.ListNodesAsync(cancellationToken);

    public Task<TOut> RequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken) =>
        RequestAsync(topic, input, Begin(topic, options, cancellationToken, isRequest: true));

    public Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken) =>
        TryRequestAsync(topic, input, Begin(topic, options, cancellationToken, isRequest: true));

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
        return TryResumeAsync(new Resumption<TIn, TOut>(composition, input), options, cancellationToken);
    }

    public async Task<Reply<TOut>> TryResumeAsync<TOut>(
        Resumption<TOut> resumption, RequestOptions? options, CancellationToken cancellationToken)
    {
        using var scope = Begin(resumption, options, cancellationToken);
        var activity = Telemetry.StartComposition(resumption);
        var status = StatusCode.None;
        try
        {
            var reply = await resumption.RunAsync(new(sender, scope)).ConfigureAwait(false);
            status = reply.Status;
            return reply;
        }
        finally
        {
            Telemetry.EndComposition(activity, status);
        }
    }

    public Task<ISubscription> SubscribeAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, Func<TIn, HandlerContext, Task<TOut>> handler, HandlerOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeAsync(
            HandlerDefinition.ForRequest(topic, "delegate", (input, context) => new ValueTask<TOut>(handler(input, context))), options, cancellationToken);
    }

    public Task<ISubscription> SubscribeAsync<T>(
        SignalPattern<T> pattern, Func<T, HandlerContext, Task> handler, HandlerOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(handler);
        return SubscribeAsync(
            HandlerDefinition.ForSignal(pattern, "delegate", (signal, context) => new ValueTask(handler(signal, context))), options, cancellationToken);
    }

    // What an asynchronous method is given it keeps until it ends: these are given no more than they need.
    private async Task<TOut> RequestAsync<TIn, TOut>(RequestTopic<TIn, TOut> topic, TIn input, CallScope scope)
    {
        try
        {
            var reply = await sender.RequestAsync(topic, input, scope).ConfigureAwait(false);
            return reply.GetValueOrThrow();
        }
        finally
        {
            scope.Dispose();
        }
    }

    private async Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(RequestTopic<TIn, TOut> topic, TIn input, CallScope scope)
    {
        try
        {
            return await sender.RequestAsync(topic, input, scope).ConfigureAwait(false);
        }
        finally
        {
            scope.Dispose();
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
            : throw new InvalidOperationException($"The bus of node '{node.Id}' is not running, so nothing can be subscribed.");
    }
}
