namespace ServiceMesh.Conformance;

/// <summary>
/// The bus of a node, with a limit on how long a test waits for it: a call that never ends fails its test instead of
/// stopping the run. Changes nothing else.
/// </summary>
internal sealed class FailsafeBus(IServiceBus bus) : IServiceBus
{
    public NodeInfo DescribeNode() => bus.DescribeNode();

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken = default) =>
        bus.ListNodesAsync(cancellationToken).InTime();

    public Task<TOut> RequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken = default) =>
        bus.RequestAsync(topic, input, options, cancellationToken).InTime();

    public Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken = default) =>
        bus.TryRequestAsync(topic, input, options, cancellationToken).InTime();

    public Task<SignalResult> SignalAsync<T>(
        SignalTopic<T> topic, T value, RequestOptions? options, CancellationToken cancellationToken = default) =>
        bus.SignalAsync(topic, value, options, cancellationToken).InTime();

    public Task<TOut> ExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken = default) =>
        bus.ExecuteAsync(composition, input, options, cancellationToken).InTime();

    public Task<Reply<TOut>> TryExecuteAsync<TIn, TOut>(
        Composition<TIn, TOut> composition, TIn input, RequestOptions? options, CancellationToken cancellationToken = default) =>
        bus.TryExecuteAsync(composition, input, options, cancellationToken).InTime();

    public Task<Reply<TOut>> TryResumeAsync<TOut>(
        Resumption<TOut> resumption, RequestOptions? options, CancellationToken cancellationToken = default) =>
        bus.TryResumeAsync(resumption, options, cancellationToken).InTime();

    public Task<ISubscription> SubscribeAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic,
        Func<TIn, HandlerContext, Task<TOut>> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default) =>
        bus.SubscribeAsync(topic, handler, options, cancellationToken).InTime();

    public Task<ISubscription> SubscribeAsync<T>(
        SignalPattern<T> pattern,
        Func<T, HandlerContext, Task> handler,
        HandlerOptions? options = null,
        CancellationToken cancellationToken = default) =>
        bus.SubscribeAsync(pattern, handler, options, cancellationToken).InTime();
}
