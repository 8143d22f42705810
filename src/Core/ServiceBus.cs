namespace ServiceMesh;

/// <summary>One bus: each verb as its ordered steps, and the life of the node around them.</summary>
internal sealed class ServiceBus : IServiceBus, IAsyncDisposable, IDisposable
{
    private enum State
    {
        Created,
        Running,
        Draining,
        Stopped,
    }

    // After cancelling its handlers, a draining node waits this long for them to notice.
    private static readonly TimeSpan s_graceAfterCancel = TimeSpan.FromSeconds(1);

    private readonly Node _node;
    private readonly ITransport _transport;
    private readonly Sender _sender;
    private readonly IReadOnlyList<HandlerDefinition> _definitions;
    private readonly TransportFeatures _required;
    private readonly string _transportName;
    private readonly Lazy<IErrorQueue> _errorQueue;
    private volatile State _state = State.Created;

    public ServiceBus(
        Node node,
        ITransport transport,
        string transportName,
        IReadOnlyList<ISendMiddleware> middleware,
        IReadOnlyList<HandlerDefinition> definitions,
        TransportFeatures required)
    {
        _node = node;
        _transport = transport;
        _transportName = transportName;
        _sender = new(node, transport, middleware);
        _definitions = definitions;
        _required = required;
        _errorQueue = new(() => transport.ErrorQueue ?? new FileErrorQueue(
            node.Options.Errors.QueueFile ?? Path.Combine("servicemesh-errors", $"{node.Name}.jsonl"),
            node.Options.Errors.QueueCapacity,
            node.Logger));
        node.Telemetry.Observe(node.Subscriptions);
    }

    public NodeInfo Node => _node.Describe();

    public IErrorQueue ErrorQueue => _errorQueue.Value;

    public async Task<TOut> RequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken)
    {
        using var scope = Begin(topic, options, cancellationToken);
        var reply = await _sender.RequestAsync(topic, input, scope).ConfigureAwait(false);
        return reply.GetValueOrThrow();
    }

    public async Task<Reply<TOut>> TryRequestAsync<TIn, TOut>(
        RequestTopic<TIn, TOut> topic, TIn input, RequestOptions? options, CancellationToken cancellationToken)
    {
        using var scope = Begin(topic, options, cancellationToken);
        return await _sender.RequestAsync(topic, input, scope).ConfigureAwait(false);
    }

    public async Task<SignalResult> SignalAsync<T>(
        SignalTopic<T> topic, T value, RequestOptions? options, CancellationToken cancellationToken)
    {
        using var scope = Begin(topic, options, cancellationToken);
        return await _sender.SignalAsync(topic, value, scope).ConfigureAwait(false);
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
            var reply = await resumption.RunAsync(new(_sender, scope)).ConfigureAwait(false);
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

    /// <summary>Connects, subscribes every registered handler, and opens for business.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_state != State.Created)
        {
            throw new InvalidOperationException($"The bus of node '{_node.Id}' was started before.");
        }

        CapabilityCheck.Check(_transportName, _transport.Capabilities, _required, _node.Options, _definitions);
        Subscription[] subscriptions = [.. _definitions.Select(d => new Subscription(_node, d)), new Subscription(_node, PresenceHandler())];
        _node.Subscriptions.Add(subscriptions);
        if (_node.Options.ErrorPolicy == ErrorPolicy.Queue)
        {
            // Opens it, so that a file which cannot be used is known now and not at the first failure.
            await ErrorQueue.CountAsync(cancellationToken).ConfigureAwait(false);
        }

        await _transport.StartAsync(new(_node), cancellationToken).ConfigureAwait(false);
        _sender.Open();
        _node.Errors.Start(FileReportAsync);
        await _transport.SubscribeAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        _state = State.Running;
        Log.Started(_node.Logger, _node.Id, _transportName, subscriptions.Length);
    }

    /// <summary>
    /// Refuses new messages, lets those in flight finish and be answered for a bounded time, then cancels them.
    /// Requests of this node still go out.
    /// </summary>
    public async Task DrainAsync()
    {
        if (_state != State.Running)
        {
            return;
        }

        _state = State.Draining;
        var timeout = _node.Options.DrainTimeout;
        var subscriptions = _node.Subscriptions.Snapshot();
        Log.Draining(_node.Logger, _node.Id, timeout, InFlight(subscriptions));
        await AttemptAsync("drain", _transport.DrainAsync).ConfigureAwait(false);
        _node.BeginDrain();
        var empty = Task.WhenAll(subscriptions.Select(s => s.Gate.CloseAsync()));
        if (await EndsWithinAsync(empty, timeout).ConfigureAwait(false))
        {
            Log.Drained(_node.Logger, _node.Id);
            return;
        }

        Log.DrainTimedOut(_node.Logger, _node.Id, timeout, InFlight(subscriptions));
        await _node.CancelHandlersAsync().ConfigureAwait(false);
        if (!await EndsWithinAsync(empty, s_graceAfterCancel).ConfigureAwait(false))
        {
            Log.HandlersLeftBehind(_node.Logger, _node.Id, InFlight(subscriptions));
        }
    }

    /// <summary>Drains if nobody did, files the last error reports, and disconnects.</summary>
    public async Task StopAsync()
    {
        await DrainAsync().ConfigureAwait(false);
        if (_state is State.Created or State.Stopped)
        {
            return;
        }

        _state = State.Stopped;
        await _node.Errors.StopAsync(_node.Options.DrainTimeout).ConfigureAwait(false);
        _sender.Close();
        await AttemptAsync("stop", _transport.StopAsync).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        Release();
    }

    /// <summary>For containers that are disposed synchronously: lets go without draining, which only a host can wait for.</summary>
    public void Dispose()
    {
        _sender.Close();
        _node.BeginDrain();
        Release();
    }

    /// <summary>What a health check should know, worst first.</summary>
    public IEnumerable<(TransportState State, string Reason)> Complaints()
    {
        if (_state is State.Created or State.Stopped)
        {
            yield return (TransportState.Unavailable, _state == State.Created ? "The bus has not started." : "The bus has stopped.");
            yield break;
        }

        if (_transport.Health is { State: not TransportState.Healthy } health)
        {
            yield return (health.State, $"The {_transportName} transport: {health.Reason}");
        }

        if (_state == State.Draining)
        {
            yield return (TransportState.Degraded, "The node is draining: it refuses new messages.");
        }

        foreach (var subscription in _node.Subscriptions.Snapshot().Where(s => s.Gate.IsFull))
        {
            yield return (TransportState.Degraded, $"The {subscription} is at its limits and refuses messages.");
        }
    }

    private static int InFlight(IEnumerable<Subscription> subscriptions) => subscriptions.Sum(s => s.Gate.Running + s.Gate.Waiting);

    private CallScope Begin(object called, RequestOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(called);
        if (options?.Timeout is { } timeout)
        {
            Limits.Time.Check(timeout, "RequestOptions.Timeout");
        }

        return _sender.Begin(options, cancellationToken);
    }

    private async Task<ISubscription> SubscribeAsync(HandlerDefinition definition, HandlerOptions? options, CancellationToken cancellationToken)
    {
        definition = definition.With(Limits.Checked(options ?? new(), definition));
        if (_state != State.Running)
        {
            throw new InvalidOperationException($"The bus of node '{_node.Id}' is not running, so nothing can be subscribed.");
        }

        CapabilityCheck.Check(_transportName, _transport.Capabilities, TransportFeatures.None, _node.Options, [definition]);
        var subscription = new Subscription(_node, definition);
        _node.Subscriptions.Add([subscription]);
        try
        {
            await _transport.SubscribeAsync([subscription], cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _node.Subscriptions.Remove(subscription);
            throw;
        }

        return new RuntimeSubscription(this, subscription);
    }

    private async Task UnsubscribeAsync(Subscription subscription)
    {
        // First out of the way of new messages, so that none is refused; then wait for those that are in.
        if (_state is State.Running or State.Draining)
        {
            await AttemptAsync("unsubscribe", token => _transport.UnsubscribeAsync(subscription, token)).ConfigureAwait(false);
        }

        if (!await EndsWithinAsync(subscription.Gate.CloseAsync(), _node.Options.DrainTimeout).ConfigureAwait(false))
        {
            Log.HandlersLeftBehind(_node.Logger, _node.Id, InFlight([subscription]));
        }

        _node.Subscriptions.Remove(subscription);
    }

    private HandlerDefinition PresenceHandler() => HandlerDefinition.ForRequest(
        MeshTopics.Node(_node.Id), "presence", (_, _) => new ValueTask<NodeInfo>(_node.Describe()));

    private async Task FileReportAsync(ErrorReport report)
    {
        if (_node.Options.ErrorPolicy == ErrorPolicy.Publish)
        {
            using var scope = _sender.Begin(null, CancellationToken.None);
            await _sender.SignalAsync(MeshTopics.Errors, report, scope).ConfigureAwait(false);
            return;
        }

        var lost = await ErrorQueue.AddAsync(report).ConfigureAwait(false);
        if (lost > 0)
        {
            _node.Telemetry.Report("lost", lost);
            Log.ErrorQueueFull(_node.Logger, ErrorQueue.Capacity, lost);
        }
    }

    private async Task AttemptAsync(string step, Func<CancellationToken, Task> action)
    {
        using var limit = new CancellationTokenSource(_node.Options.DrainTimeout, _node.Clock);
        try
        {
            await action(limit.Token).WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            // Stopping goes on whatever a transport does.
            Log.TransportStopFailed(_node.Logger, step, failure);
        }
    }

    private async Task<bool> EndsWithinAsync(Task task, TimeSpan time)
    {
        try
        {
            await task.WaitAsync(time, _node.Clock).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private void Release()
    {
        _state = State.Stopped;
        if (_errorQueue.IsValueCreated)
        {
            (_errorQueue.Value as IDisposable)?.Dispose();
        }

        _node.Dispose();
    }

    private sealed class RuntimeSubscription(ServiceBus bus, Subscription subscription) : ISubscription
    {
        private TaskCompletionSource? _disposal;

        public TopicPattern Pattern => subscription.Pattern;

        public string? Group => subscription.Group;

        public async ValueTask DisposeAsync()
        {
            // The first to dispose does it; everybody who disposes waits until it is done.
            var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _disposal, mine, null) is { } others)
            {
                await others.Task.ConfigureAwait(false);
                return;
            }

            try
            {
                await bus.UnsubscribeAsync(subscription).ConfigureAwait(false);
            }
            finally
            {
                mine.SetResult();
            }
        }
    }
}
