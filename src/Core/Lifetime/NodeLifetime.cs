namespace ServiceMesh;

/// <summary>The life of a node: start, drain, stop, and how it is meanwhile. The host calls each once, in this order.</summary>
internal sealed class NodeLifetime : IAsyncDisposable, IDisposable
{
    private enum State
    {
        Created,
        Running,
        Draining,
        Stopped,
    }

    // Stopping has one budget, the drain timeout. What comes after the handlers gets what is left of it, and at least
    // this: to notice a cancellation, to file the last reports, to say goodbye.
    private static readonly TimeSpan s_leastForAStep = TimeSpan.FromSeconds(1);

    // A report has its own time: the application's may be shorter than any transport.
    private static readonly RequestOptions s_reportOptions = new() { Timeout = TimeSpan.FromSeconds(10) };

    private const int MaxTopicsInLog = 20;

    private readonly Node _node;
    private readonly ITransport _transport;
    private readonly string _transportName;
    private readonly Sender _sender;
    private readonly Subscriber _subscriber;
    private readonly IReadOnlyList<HandlerDefinition> _handlers;
    private readonly TransportFeatures _required;
    private readonly Lazy<IErrorQueue> _errorQueue;
    private volatile State _state = State.Created;
    private Deadline _budget;

    public NodeLifetime(
        Node node,
        ITransport transport,
        string transportName,
        Sender sender,
        Subscriber subscriber,
        IReadOnlyList<HandlerDefinition> handlers,
        TransportFeatures required)
    {
        _node = node;
        _transport = transport;
        _transportName = transportName;
        _sender = sender;
        _subscriber = subscriber;
        _handlers = handlers;
        _required = required;
        _errorQueue = new(() => transport.ErrorQueue ?? new FileErrorQueue(
            node.Options.Errors.QueueFile ?? Path.Combine("servicemesh-errors", $"{node.FileName}.jsonl"),
            node.Options.Errors.QueueCapacity,
            node.Logger));
    }

    private TimeSpan LeftForAStep => _budget.Remaining > s_leastForAStep ? _budget.Remaining : s_leastForAStep;

    public bool IsRunning => _state == State.Running;

    public IErrorQueue ErrorQueue => _errorQueue.Value;

    /// <summary>Connects, subscribes every registered handler, and opens for business.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_state != State.Created)
        {
            throw new InvalidOperationException($"The bus of node '{_node.Id}' was started before.");
        }

        var subscriptions = _subscriber.Prepare([.. _handlers, PresenceHandler()], _required);
        if (_node.Options.ErrorPolicy == ErrorPolicy.Queue && _transport.ErrorQueue is null)
        {
            // Opens the file, so that one which cannot be used is known now and not at the first failure. A queue of the
            // transport is there when the transport is.
            await ErrorQueue.CountAsync(cancellationToken).ConfigureAwait(false);
        }

        await _transport.StartAsync(new(_node), cancellationToken).ConfigureAwait(false);
        _sender.Open();
        _node.Errors.Start(FileReportAsync);
        _state = State.Running;
        try
        {
            await _subscriber.ActivateAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await StopAsync().ConfigureAwait(false);
            throw;
        }

        Log.Started(_node.Logger, _node.Id, _transportName, _transport.Server ?? "this process", TopicsOf(_handlers));
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
        _budget = Deadline.After(timeout, _node.Clock);
        Log.Draining(_node.Logger, _node.Id, timeout, _node.Subscriptions.InFlight);
        await _node.AttemptAsync("drain", LeftForAStep, _transport.DrainAsync).ConfigureAwait(false);
        _node.BeginDrain();
        var empty = Task.WhenAll(_node.Subscriptions.Snapshot().Where(s => !s.IsOwn).Select(s => s.Gate.CloseAsync()));
        if (await _node.EndsWithinAsync(empty, _budget.Remaining).ConfigureAwait(false))
        {
            Log.Drained(_node.Logger, _node.Id);
            return;
        }

        Log.DrainTimedOut(_node.Logger, _node.Id, timeout, _node.Subscriptions.InFlight);
        await _node.CancelHandlersAsync().ConfigureAwait(false);
        if (!await _node.EndsWithinAsync(empty, s_leastForAStep).ConfigureAwait(false))
        {
            Log.HandlersLeftBehind(_node.Logger, _node.Id, _node.Subscriptions.InFlight);
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
        await _node.Errors.StopAsync(LeftForAStep).ConfigureAwait(false);
        _sender.Close();
        _node.BeginStop();
        await _node.AttemptAsync("stop", LeftForAStep, _transport.StopAsync).ConfigureAwait(false);
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
        if (_state is State.Running or State.Draining)
        {
            // Begun and not awaited: a transport takes its subscriptions back before it first waits.
            _ = _node.AttemptAsync("stop", s_leastForAStep, _transport.StopAsync);
        }

        _node.BeginStop();
        Release();
    }

    /// <summary>What a health check should know; nothing when all is well.</summary>
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

    // What the start line says; a node with very many topics does not fill the log.
    private static string TopicsOf(IReadOnlyList<HandlerDefinition> handlers)
    {
        string[] topics = [.. handlers.Select(h => h.Pattern.ToString()).Distinct().Order(StringComparer.Ordinal)];
        return topics.Length == 0 ? "nothing"
            : topics.Length <= MaxTopicsInLog ? string.Join(", ", topics)
            : $"{string.Join(", ", topics.Take(MaxTopicsInLog))} and {topics.Length - MaxTopicsInLog} more";
    }

    private HandlerDefinition PresenceHandler() => HandlerDefinition.ForRequest(
        MeshTopics.Node(_node.Id), "presence", (_, _) => new ValueTask<NodeInfo>(_node.Describe()));

    // What became of the report, as the metric names it.
    private async Task<string> FileReportAsync(ErrorReport report)
    {
        if (_node.Options.ErrorPolicy == ErrorPolicy.Publish)
        {
            using var scope = _sender.Begin(s_reportOptions, CancellationToken.None);
            var result = await _sender.SignalAsync(MeshTopics.Errors, report, scope).ConfigureAwait(false);
            return result.WasReceived ? "filed" : "unheard";
        }

        var lost = await ErrorQueue.AddAsync(report).ConfigureAwait(false);
        if (lost > 0)
        {
            _node.Telemetry.Report("lost", lost);
            Log.ErrorQueueFull(_node.Logger, ErrorQueue.Capacity, lost);
        }

        return "filed";
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
}
