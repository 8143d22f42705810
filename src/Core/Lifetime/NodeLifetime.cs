using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>The life of a node: start, drain, stop, and its health meanwhile. The host calls each once, in this order.</summary>
internal sealed class NodeLifetime(
    ChosenTransport chosen,
    TransportContext context,
    Registrations registrations,
    NodeState node,
    NodePresence presence,
    Sender sender,
    Subscriber subscriber,
    ErrorReporter errors,
    ReportDestination reports,
    LogPublisher logs,
    ShutdownBudget shutdown,
    ILogger logger) : IAsyncDisposable, IDisposable
{
    private enum State
    {
        Created,
        Running,
        Draining,
        Stopped,
    }

    private const int MaxTopicsInLog = 20;

    // The handlers, the reports, the log and the transport have a second each.
    private static readonly TimeSpan s_disposal = TimeSpan.FromSeconds(6);

    private readonly ITransport _transport = chosen.Transport;
    private volatile State _state = State.Created;
    private IDisposable? _poolWatch;

    public string NodeId => presence.NodeId;

    public bool IsRunning => _state == State.Running;

    public IErrorStore ErrorQueue => reports.Queue;

    /// <summary>Sends the message of a report again.</summary>
    public Task<ReplayResult> ReplayAsync(ErrorReport report, RequestOptions? options, CancellationToken cancellationToken) =>
        sender.ReplayAsync(report, options, cancellationToken);

    /// <summary>Why the transport cannot be asked; null while it runs.</summary>
    public string? WhyNotConnected => _state switch
    {
        State.Created => $"The bus of node '{NodeId}' has not started yet; the host starts it, in the order in which services were added.",
        State.Stopped => $"The bus of node '{NodeId}' has stopped.",
        _ => null,
    };

    /// <summary>Who this node is and what it handles, at this moment.</summary>
    public NodeInfo Describe() => presence.Describe();

    /// <summary>Connects, opens for sending, and subscribes every registered handler.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_state != State.Created)
        {
            throw new InvalidOperationException($"The bus of node '{NodeId}' was started before.");
        }

        // Loops, timers and connections begin here: they must not keep what is current where the host starts.
        CleanContext.Enter();
        _poolWatch = PoolWatch.Begin(logger);
        try
        {
            await ConnectAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _poolWatch.Dispose();
            throw;
        }

        Log.Started(logger, NodeId, chosen.Name, _transport.Server ?? "this process", TopicsOf(registrations.Handlers));
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
        shutdown.Begin();
        Log.Draining(logger, NodeId, shutdown.DrainTimeout, subscriber.Subscriptions.InFlight);
        await shutdown.AttemptAsync("drain", shutdown.LeftForAStep, _transport.DrainAsync).ConfigureAwait(false);
        node.BeginDrain();
        var empty = Task.WhenAll(subscriber.Subscriptions.Snapshot().Where(s => !s.IsOwn).Select(s => s.Gate.CloseAsync()));
        if (await shutdown.EndsWithinAsync(empty, shutdown.Left).ConfigureAwait(false))
        {
            Log.Drained(logger, NodeId);
            return;
        }

        Log.DrainTimedOut(logger, NodeId, shutdown.DrainTimeout, subscriber.Subscriptions.InFlight);
        await node.CancelHandlersAsync().ConfigureAwait(false);
        if (!await shutdown.EndsWithinAsync(empty, ShutdownBudget.LeastForAStep).ConfigureAwait(false))
        {
            Log.HandlersLeftBehind(logger, NodeId, subscriber.Subscriptions.InFlight);
        }
    }

    /// <summary>Drains if that has not happened yet, files the last error reports, and disconnects.</summary>
    public async Task StopAsync()
    {
        await DrainAsync().ConfigureAwait(false);
        if (_state is State.Created or State.Stopped)
        {
            return;
        }

        _state = State.Stopped;
        await errors.StopAsync(shutdown.LeftForAStep).ConfigureAwait(false);
        TellRepeated(); // which may still be published
        await logs.StopAsync(shutdown.LeftForAStep).ConfigureAwait(false);
        sender.Close();
        subscriber.TransportStops();
        await shutdown.AttemptAsync("stop", shutdown.LeftForAStep, _transport.StopAsync).ConfigureAwait(false);
        _poolWatch?.Dispose();
        TellRepeated();
    }

    /// <summary>
    /// Ends what the host did not stop: cancels the handlers at once, because the services that they use are being disposed, waits for
    /// their replies for a bounded time, and disconnects.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await EndAtOnceAsync().ConfigureAwait(false);
        Release();
    }

    /// <summary>The same for containers that are disposed synchronously; waits for some seconds at most.</summary>
    public void Dispose()
    {
        if (_state is State.Running or State.Draining)
        {
            // Never throws: each of its steps logs what fails.
            CleanContext.RunAsync(EndAtOnceAsync).Wait(s_disposal);
        }

        sender.Close();
        subscriber.TransportStops();
        Release();
    }

    /// <summary>What the transport says of itself beside its state.</summary>
    public IReadOnlyDictionary<string, object> TransportData => _transport.Health.Data;

    /// <summary>What a health check should know; nothing when all is well.</summary>
    public IEnumerable<(TransportState State, string Reason)> HealthProblems()
    {
        if (_state is State.Created or State.Stopped)
        {
            yield return (TransportState.Unavailable, _state == State.Created ? "The bus has not started." : "The bus has stopped.");
            yield break;
        }

        if (_transport.Health is { State: not TransportState.Healthy } health)
        {
            yield return (health.State, $"The {chosen.Name} transport: {health.Reason}");
        }

        if (_state == State.Draining)
        {
            yield return (TransportState.Degraded, "The node is draining: it refuses new messages.");
        }

        foreach (var subscription in subscriber.Subscriptions.Snapshot().Where(s => s.Gate.IsFull))
        {
            yield return (TransportState.Degraded, $"The {subscription} is at its limits and refuses messages.");
        }
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {

        var subscriptions = subscriber.Prepare([.. registrations.Handlers, presence.Handler()], registrations.Required);
        await reports.OpenAsync(_transport.ErrorQueue is not null, cancellationToken).ConfigureAwait(false);
        await _transport.StartAsync(context, cancellationToken).ConfigureAwait(false);
        sender.Open();
        errors.Start(reports.FileAsync);
        logs.Start();
        _state = State.Running;
        try
        {
            await subscriber.ActivateAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await StopAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task EndAtOnceAsync()
    {
        if (_state is State.Running or State.Draining)
        {
            _state = State.Draining;
            shutdown.End();
            var inFlight = subscriber.Subscriptions.InFlight;
            Log.DisposedWithoutStop(logger, inFlight > 0 ? LogLevel.Warning : LogLevel.Debug, NodeId, inFlight);
            node.BeginDrain();
            await node.CancelHandlersAsync().ConfigureAwait(false);
            var empty = Task.WhenAll(subscriber.Subscriptions.Snapshot().Where(s => !s.IsOwn).Select(s => s.Gate.CloseAsync()));
            await shutdown.EndsWithinAsync(empty, ShutdownBudget.LeastForAStep).ConfigureAwait(false);
        }

        await StopAsync().ConfigureAwait(false);
    }

    // What the start line says; a node with very many topics does not fill the log.
    private static string TopicsOf(IReadOnlyList<HandlerDefinition> handlers)
    {
        string[] topics = [.. handlers.Select(h => h.Pattern.ToString()).Distinct().Order(StringComparer.Ordinal)];
        return topics.Length == 0 ? "nothing"
            : topics.Length <= MaxTopicsInLog ? string.Join(", ", topics)
            : $"{string.Join(", ", topics.Take(MaxTopicsInLog))} and {topics.Length - MaxTopicsInLog} more";
    }

    private void TellRepeated() => (context.LoggerFactory as PrintableLogs)?.Flush();

    private void Release()
    {
        _state = State.Stopped;
        _poolWatch?.Dispose();
        reports.Dispose();
        node.Dispose();
    }
}
