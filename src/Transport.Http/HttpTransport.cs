using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Requests and signals over HTTP, from node to node: no broker and no proxy. The nodes of the configured services say what
/// they handle; a request goes to one that does, and a signal to all who want it.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync, which every transport has, disposes what it owns.")]
internal sealed class HttpTransport(HttpTransportParts parts) : ITransport
{
    private readonly LocalNode _local = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _listening = new(1); // held while the server starts or stops
    private HttpNode _node = null!;
    private Mesh? _started; // null until the start
    private Connections _connections = null!;
    private MessageClient _client = null!;
    private FanOut _signals = null!;
    private ILogger _logger = null!;
    private OwnServer? _server;

    public TransportCapabilities Capabilities { get; } = new()
    {
        System = "http",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.Cancellation,
        ReceiverCount = ReceiverCount.Subscriptions,
        ReleasesTokens = true,
    };

    public string Server => _server is { Addresses: { Count: > 0 } addresses } ? string.Join(", ", addresses)
        : parts.Endpoints.IsMapped ? "the application's own web server"
        : "no server of its own";

    /// <summary>Degraded while a whole service is silent; this node and the other services go on.</summary>
    public TransportHealth Health => _started?.SilentServices() is { Count: > 0 } silent
        ? new(TransportState.Degraded, $"no node answers of {string.Join("; ", silent)}")
        : TransportHealth.Healthy;

    /// <summary>Listens, where the configuration says so, and learns who is there.</summary>
    public async Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        _logger = context.LoggerFactory.CreateLogger("ServiceMesh.Http");
        _connections = new(parts.Options, context.Clock, parts.Random);
        _node = new(context, _local, new(parts.Options.Token, parts.Options.AllowUnprotected, parts.Options.KeyOf), watcher => _started?.Met(watcher));
        _started = parts.MakeMesh(context, _local, _connections, _logger);
        _client = new(parts.MakeStack(context.Clock), new(_node, _connections, Mesh), _stopping.Token);
        _signals = new(_node, _connections, Mesh, parts.Options.Timeouts.Attempt ?? HttpTimeoutOptions.DefaultOfAttempt, _stopping.Token);
        parts.Endpoints.Open(_node);
        try
        {
            if (parts.Options.Listen is not null)
            {
                await ListenAsync(cancellationToken).ConfigureAwait(false);
            }

            await parts.StartMeshAsync(Mesh, context, _logger, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await StopAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        var routes = Mesh.Routes;
        return routes.Find(request.Topic) switch
        {
            null => new(Mesh.NobodyHandles(request.Topic)),
            { Balancer.Trouble: { } trouble } => new(NobodyChooses(request.Topic, trouble)),
            var route => _client.SendAsync(request, route, routes, cancellationToken),
        };
    }

    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) => _signals.SendAsync(signal, cancellationToken);

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeInfo>>([_node.Context.Describe(), .. Mesh.Others()]);

    public async Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        // A node that only asks opens no port: all requests that it handles are the bus's own, and it wants no signals.
        if (!parts.Endpoints.IsMapped && subscriptions.Any(s => s.Kind == MessageKind.Signal || !s.Pattern.ToString().StartsWith("mesh.", StringComparison.Ordinal)))
        {
            await ListenAsync(cancellationToken).ConfigureAwait(false);
        }

        _local.Add(subscriptions);
        await Mesh.ChangedAsync(cancellationToken).ConfigureAwait(false);
        await TellAsync("subscriptions were added", cancellationToken).ConfigureAwait(false);
    }

    public async Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        _local.Remove([subscription]);
        await Mesh.ChangedAsync(cancellationToken).ConfigureAwait(false);
        await TellAsync("a subscription was removed", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Says that this node is leaving, and waits until the others have heard and send elsewhere. What still arrives is
    /// answered or refused as not processed.
    /// </summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        _node.BeginDrain();
        await TellAsync("the node shuts down", cancellationToken).ConfigureAwait(false);

        // A signal has no caller to refuse it to, so it must not come any more.
        _local.Remove([.. _local.Subscriptions.Where(s => s.Kind == MessageKind.Signal)]);
        await Mesh.ChangedAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets the others read their last answers, then ends every request, watch and connection.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await parts.Endpoints.FarewellAsync(_logger, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopping.CancelAsync().ConfigureAwait(false);
        parts.Endpoints.Close();
        _node.Watchers.Close();
        await StopListeningAsync(cancellationToken).ConfigureAwait(false);

        await Mesh.DisposeAsync().ConfigureAwait(false);
        _connections.Dispose();
    }

    private Mesh Mesh => _started!;

    private ReplyMessage NobodyChooses(Topic topic, string trouble) => ReplyMessage.Failure(
        StatusCode.Unavailable,
        $"No node was chosen for '{topic}': {trouble}. Fix the balancer or choose another in {parts.Options.KeyOf("Services:NAME:Balancer")}.",
        notProcessed: true);

    // Subscriptions come from any thread, and one may come while the node stops.
    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await _listening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, typeof(IServiceBus));
            if (_server is null)
            {
                _server = await OwnServer.StartAsync(
                    parts.ListenOn, parts.Endpoints, parts.Options, _node.Context.LoggerFactory, cancellationToken).ConfigureAwait(false);
                HttpLog.Listening(_logger, _node.Context.NodeId, string.Join(", ", _server.Addresses));
            }
        }
        finally
        {
            _listening.Release();
        }
    }

    private async Task StopListeningAsync(CancellationToken cancellationToken)
    {
        await _listening.WaitAsync(CancellationToken.None).ConfigureAwait(false); // a start is short, and what it opened must be closed
        try
        {
            if (_server is not null)
            {
                await _server.StopAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await _server.DisposeAsync().ConfigureAwait(false);
                _server = null;
            }
        }
        finally
        {
            _listening.Release();
        }
    }

    private async Task TellAsync(string what, CancellationToken cancellationToken)
    {
        var missing = await _node.Watchers.TellAsync(cancellationToken).ConfigureAwait(false);
        if (missing.Count > 0)
        {
            HttpLog.NotHeard(_logger, what, string.Join(", ", missing));
        }
    }
}
