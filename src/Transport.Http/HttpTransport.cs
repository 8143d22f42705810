using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Requests and signals over HTTP, from node to node, without a broker and without a proxy. The nodes of the configured services describe
/// what they handle. A request goes to one of the nodes that handle it, and a signal to all its subscribers.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "StopAsync disposes the fields.")]
internal sealed class HttpTransport(HttpTransportParts parts) : ITransport
{
    private readonly LocalSubscriptions _local = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _listening = new(1); // held while the server starts or stops
    private HttpNode _node = null!;
    private PeerDirectory? _started; // null until the start
    private ConnectionPool _connections = null!;
    private ClientTls _tls = ClientTls.Usual;
    private ReloadedFile<OwnCertificate>? _certificate; // of the own server
    private MessageClient _client = null!;
    private FanOut _signals = null!;
    private NodeSessions? _sessions; // null until the start
    private ILogger _logger = null!;
    private OwnServer? _server;
    private IAsyncDisposable? _changes;

    public TransportCapabilities Capabilities { get; } = new()
    {
        System = "http",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.Cancellation
            | TransportFeatures.Authorization,
        ReceiverCount = ReceiverCount.Subscriptions,
        ReleasesTokens = true,
    };

    public string Server => _server is { Addresses: { Count: > 0 } addresses } ? string.Join(", ", addresses)
        : parts.Endpoints.IsMapped ? "the application's own web server"
        : "no server of its own";

    /// <summary>
    /// Degraded while no node of a service answers, and while a certificate of this node has expired. This node and the other services are
    /// not affected.
    /// </summary>
    public TransportHealth Health
    {
        get
        {
            string[] troubles =
            [
                .. _started?.SilentServices() is { Count: > 0 } silent
                    ? [$"no node answers for {string.Join("; ", silent)}"]
                    : Array.Empty<string>(),
                .. new[] { _certificate?.Current, _tls.Certificate }
                    .Select(c => c?.Trouble(_node.Context.Clock.GetUtcNow())).OfType<string>(),
            ];
            var health = troubles.Length == 0 ? TransportHealth.Healthy : new(TransportState.Degraded, string.Join("; ", troubles));
            return _started is null ? health : health with { Data = CountConnections(_started.DescribeEndpoints()) };
        }
    }

    /// <summary>Listens, if the configuration says so, and asks the nodes of all services what they handle.</summary>
    public async Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        _logger = context.LoggerFactory.CreateLogger("ServiceMesh.Http");
        _tls = parts.Options.Tls.OpenClient(context.Clock, _logger);
        _connections = parts.MakeConnections(_tls, context.Clock);
        var client = new BufferedClient(_connections, parts.Options.Token, context.Clock);
        var protection = new Protection(
            parts.Options.Token, parts.Options.AllowUnprotected, parts.Options.Server.Hosts, parts.Options.KeyOf);
        _node = new(context, _local, protection, parts.Policies, parts.Options.Server, watcher => _started?.PeerSeen(watcher),
            () => _started?.DescribeEndpoints() ?? []);
        WarnOfCertificate(_tls.Certificate, "Tls:ClientCertificate");
        parts.ObserveServer(() => _node.Bytes.Held);
        _started = parts.MakeDirectory(context, _local, client, _logger);
        _sessions = parts.MakeSessions(_node, client, _tls, _logger);
        _node.Sessions = _sessions;
        _client = new(
            parts.MakePipeline(context.Clock, _stopping.Token),
            new(_node, _connections, client, new(_sessions, context, Peers), Peers));
        _signals = new(_node, client, _sessions, Peers, _stopping.Token);
        parts.Endpoints.Open(_node);
        try
        {
            if (parts.Options.Listen is not null)
            {
                await ListenAsync(cancellationToken).ConfigureAwait(false);
            }

            await parts.StartDirectoryAsync(Peers, context, _logger, cancellationToken).ConfigureAwait(false);
            _changes = parts.WatchServices(Peers, _logger);
        }
        catch
        {
            await StopAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        var routes = Peers.Routes;
        return routes.Find(request.Topic) switch
        {
            null => new(Peers.NoHandler(request.Topic)),
            { Balancer.Trouble: { } trouble } => new(BalancerFailed(request.Topic, trouble)),
            var route => _client.SendAsync(request, route, routes, cancellationToken),
        };
    }

    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) =>
        _signals.SendAsync(signal, cancellationToken);

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeInfo>>([_node.Context.Describe(), .. Peers.OtherNodes()]);

    public async Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        await parts.Policies.EnsureExistAsync(subscriptions).ConfigureAwait(false);

        // A node that only sends opens no port: it handles only the bus's own requests, and receives no signals.
        if (!parts.Endpoints.IsMapped && subscriptions.Any(IsOfApplication))
        {
            await ListenAsync(cancellationToken).ConfigureAwait(false);
        }

        _local.Add(subscriptions);
        await Peers.ChangedAsync(cancellationToken).ConfigureAwait(false);
        await NotifyWatchersAsync("subscriptions were added", cancellationToken).ConfigureAwait(false);
    }

    public async Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        _local.Remove([subscription]);
        await Peers.ChangedAsync(cancellationToken).ConfigureAwait(false);
        await NotifyWatchersAsync("a subscription was removed", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Announces that this node leaves, and waits until the other nodes have confirmed it and send their messages elsewhere. Messages that
    /// still arrive are answered, or refused as not processed.
    /// </summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        _node.BeginDrain();
        await NotifyWatchersAsync("the node shuts down", cancellationToken).ConfigureAwait(false);

        // The sender of a signal does not see a refusal, so this node must not receive signals from now on.
        _local.Remove([.. _local.All.Where(s => s.Kind == MessageKind.Signal)]);
        await Peers.ChangedAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets the other nodes read their last replies, then ends all requests, watches and connections.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await parts.Endpoints.ReleaseWatchersAsync(_logger, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (Interlocked.Exchange(ref _changes, null) is { } changes)
        {
            await changes.DisposeAsync().ConfigureAwait(false);
        }

        if (_sessions is not null)
        {
            await _sessions.DisposeAsync().ConfigureAwait(false);
        }

        parts.Endpoints.Close();
        _node.Watchers.Close();
        await StopListeningAsync(cancellationToken).ConfigureAwait(false);

        await Peers.DisposeAsync().ConfigureAwait(false);
        _connections.Dispose();
    }

    private PeerDirectory Peers => _started!;

    private static Dictionary<string, object> CountConnections(IReadOnlyList<EndpointReport> endpoints) => new()
    {
        ["sessions"] = endpoints.Count(e => e.Uses == EndpointReport.Session),
        ["exchanges"] = endpoints.Count(e => e.Uses == EndpointReport.Exchange),
    };

    private static bool IsOfApplication(Subscription subscription) =>
        subscription.Kind == MessageKind.Signal || !subscription.Pattern.ToString().StartsWith("mesh.", StringComparison.Ordinal);

    private ReplyMessage BalancerFailed(Topic topic, string trouble) => ReplyMessage.Failure(
        StatusCode.Unavailable,
        $"No node was chosen for '{topic}': {trouble}. " +
        $"Fix the balancer or choose another in {parts.Options.KeyOf("Services:NAME:Balancer")}.",
        notProcessed: true);

    // Subscriptions are added on any thread, and possibly while the node stops.
    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await _listening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, typeof(IServiceBus));
            if (_server is null)
            {
                _server = await OwnServer.StartAsync(
                    parts.ListenOn, parts.Endpoints, parts.ListenOn.Any(a => a.IsTls) ? OpenTls() : null, parts.Options.KeyOf("Listen"),
                    parts.Options.Server.MaxConnections, _node.Context.LoggerFactory, cancellationToken).ConfigureAwait(false);
                ServerLog.Listening(_logger, _node.Context.NodeId, string.Join(", ", _server.Addresses));
            }
        }
        finally
        {
            _listening.Release();
        }
    }

    private ServerTls OpenTls()
    {
        _certificate = parts.Options.Tls.OpenCertificate(_node.Context.Clock, _logger);
        WarnOfCertificate(_certificate.Current, "Tls:Certificate");
        return new(_certificate, parts.Options.Tls.RequireClientCertificate, _tls);
    }

    private void WarnOfCertificate(OwnCertificate? certificate, string key)
    {
        if (certificate?.Trouble(_node.Context.Clock.GetUtcNow()) is { } trouble)
        {
            CertificateLog.NotValid(_logger, trouble, parts.Options.KeyOf(key));
        }
    }

    private async Task StopListeningAsync(CancellationToken cancellationToken)
    {
        await _listening.WaitAsync(CancellationToken.None).ConfigureAwait(false); // a start is short, and its server must be closed
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

    private async Task NotifyWatchersAsync(string what, CancellationToken cancellationToken)
    {
        var missing = await _node.Watchers.NotifyAsync(cancellationToken).ConfigureAwait(false);
        if (missing.Count > 0)
        {
            ServerLog.NotConfirmed(_logger, what, string.Join(", ", missing));
        }
    }
}
