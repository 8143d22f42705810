using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// One running bus in one process: who it is, and what everything in it shares. Made once, before the bus starts.
/// </summary>
internal sealed class Node : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly IHandlerMiddleware[] _middleware;
    private readonly long _started;
    private long _lastMessage;
    private volatile bool _draining;
    private volatile bool _stopped;

    public Node(
        ServiceMeshOptions options,
        SerializerSet serializers,
        IServiceScopeFactory scopes,
        IEnumerable<IHandlerMiddleware> middleware,
        Telemetry telemetry,
        ILoggerFactory loggerFactory,
        TimeProvider clock)
    {
        Options = options;
        Serializers = serializers;
        Scopes = scopes;
        Telemetry = telemetry;
        LoggerFactory = loggerFactory;
        Logger = loggerFactory.CreateLogger("ServiceMesh");
        Clock = clock;
        Name = options.NodeName ?? NodeInfo.NameOfThisProgram;
        Id = NodeInfo.NewId(Name);
        Errors = new(this);
        Stopping = _stopping.Token;
        telemetry.Observe(Subscriptions);
        _middleware = [.. middleware];
        _started = clock.GetTimestamp();
    }

    public string Id { get; }

    public string Name { get; }

    /// <summary>The key of its bus in the container; empty for the one without.</summary>
    public string BusName { get; init; } = "";

    /// <summary>What files of this node are called: the service, and the bus where there are several.</summary>
    public string FileName => NodeInfo.Segment(BusName.Length == 0 ? Name : $"{Name}-{BusName}");

    public ServiceMeshOptions Options { get; }

    public SerializerSet Serializers { get; }

    public IServiceScopeFactory Scopes { get; }

    public Telemetry Telemetry { get; }

    public ErrorReporter Errors { get; }

    public ILoggerFactory LoggerFactory { get; }

    public ILogger Logger { get; }

    public TimeProvider Clock { get; }

    public SubscriptionRegistry Subscriptions { get; } = new();

    /// <summary>The bus of this node; set once, before anything is received.</summary>
    public IServiceBus Bus { get; set; } = null!;

    /// <summary>Refuses new messages; what is in flight goes on.</summary>
    public bool IsDraining => _draining;

    /// <summary>Fires when the node has waited long enough for its handlers. Good for those that outlive the node, too.</summary>
    public CancellationToken Stopping { get; }

    public MessageId NextMessageId() => new(Id, Interlocked.Increment(ref _lastMessage));

    public NodeInfo Describe() => new()
    {
        Id = Id,
        Name = Name,
        Host = Environment.MachineName,
        ProcessId = Environment.ProcessId,
        Uptime = Clock.GetElapsedTime(_started),
        IsDraining = IsDraining,
        Subscriptions = Subscriptions.Describe(),
    };

    /// <summary>The transport is being stopped or has been: nothing can be asked of it any more.</summary>
    public bool IsStopped => _stopped;

    public void BeginDrain() => _draining = true;

    public void BeginStop() => _stopped = true;

    public Task CancelHandlersAsync() => _stopping.CancelAsync();

    public void ReportLoss(string reason, string topic, string detail, string sender)
    {
        Telemetry.Dropped(reason, topic);
        Log.Dropped(Logger, topic, sender, reason, detail);
    }

    /// <summary>Does what stopping needs from a transport. Whatever that does wrong, stopping goes on.</summary>
    public async Task AttemptAsync(string step, TimeSpan time, Func<CancellationToken, Task> action)
    {
        using var limit = new CancellationTokenSource(time, Clock);
        try
        {
            await action(limit.Token).WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            Log.TransportStopFailed(Logger, step, failure);
        }
    }

    /// <summary>Waits for a task for so long; false when it has not ended by then.</summary>
    public async Task<bool> EndsWithinAsync(Task task, TimeSpan time)
    {
        try
        {
            await task.WaitAsync(time, Clock).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>The steps around a handler as one function, put together once per subscription.</summary>
    public Func<HandlerContext, ValueTask<ReplyMessage>> Around(HandlerDefinition handler)
    {
        var handle = handler.Handle(Serializers);
        // The bus answers who it is even where the application's own steps would refuse.
        var steps = handler.Kind == MessageKind.Request && MeshTopics.IsReserved(handler.Pattern) ? 0 : _middleware.Length;
        for (var i = steps - 1; i >= 0; i--)
        {
            var (step, next) = (_middleware[i], handle);
            handle = context => step.HandleAsync(context, next);
        }

        return handle;
    }

    public void Dispose() => _stopping.Dispose();
}
