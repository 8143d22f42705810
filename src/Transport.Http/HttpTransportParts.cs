using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The parts of the HTTP transport of one bus. Created once, with the bus, from options that have been checked.
/// </summary>
internal sealed class HttpTransportParts
{
    private readonly ResolverKinds _resolvers;
    private readonly BalancerKinds _balancers;
    private readonly ILookupClient? _dns;
    private readonly ClientMetrics _metrics;
    private readonly IReadOnlyList<Service> _services;
    private readonly ServiceChanges _changes;
    private readonly ServiceEndpoints _known;
    private readonly ConcurrentDictionary<string, Service> _current = new(StringComparer.OrdinalIgnoreCase);

    public HttpTransportParts(
        HttpTransportOptions options, MeshEndpoints endpoints, ILookupClient? dns, IMeterFactory meters, ServiceEndpoints known,
        IServiceProvider application, string busName = "", ServiceChanges? changes = null)
    {
        _changes = changes ?? ServiceChanges.None;
        _known = known;
        Options = options;
        Endpoints = endpoints;
        Policies = new(application);
        ListenOn = ListenAddress.ParseAll(options.Listen ?? "http://127.0.0.1:5080");
        _resolvers = new(options.Resolvers);
        _balancers = new(options.Balancers);
        _dns = dns;
        _metrics = new(meters.Create(MeshTelemetry.MeterName), ClientMetrics.Bus, busName);
        _services = [.. options.Services.Select(s => MakeService(s.Key, s.Value))];
    }

    public HttpTransportOptions Options { get; }

    public MeshEndpoints Endpoints { get; }

    public TopicPolicies Policies { get; }

    public IReadOnlyList<ListenAddress> ListenOn { get; init; }

    /// <summary>The source of randomness; must be thread-safe.</summary>
    public Random Random { get; init; } = Random.Shared;

    public ConnectionPool MakeConnections(ClientTls tls, TimeProvider clock) => new(Options.Timeouts, tls, clock, Random);

    /// <summary>The sessions of the node. Each has a connection of its own, so that a dead connection ends with its session.</summary>
    public NodeSessions MakeSessions(HttpNode node, BufferedClient client, ClientTls tls, ILogger logger)
    {
        var timeouts = Options.Timeouts;
        var settings = new SessionSettings(
            Options.Sessions == HttpSessions.Auto,
            timeouts.ConnectLimit + Options.Health.Timeout,
            timeouts.TlsLimit,
            timeouts.Idle > TimeSpan.Zero ? timeouts.Idle : TimeSpan.Zero);
        var sessions = new NodeSessions(
            settings, node, client, () => MakeConnections(tls, node.Context.Clock), Random, logger);
        sessions.Observe(_metrics.Meter, _metrics.Client);
        return sessions;
    }

    public ClientPipeline<ReplyMessage> MakePipeline(TimeProvider clock, CancellationToken stopping)
    {
        var budgets = new RetryBudgets(Options.RetryBudget, clock, Options.Services.Keys);
        _metrics.ObserveBudgets(() => budgets.Available);
        return new(Options.Limits, budgets, clock, Random, _metrics, stopping);
    }

    /// <summary>Publishes the bytes that the node holds for its callers.</summary>
    public void ObserveServer(Func<long> held) => _metrics.Meter.CreateObservableUpDownCounter(
        "servicemesh.http.server.held", held, "By", "Bytes of bodies and answers that the node holds.");

    public PeerDirectory MakeDirectory(TransportContext context, LocalSubscriptions local, BufferedClient client, ILogger logger)
    {
        var balancing = new BalancerContext { Clock = context.Clock, Random = Random };
        return new(_services, context, local, client, Options.Health, name => _balancers.Create(name, balancing), logger);
    }

    /// <summary>Begins to resolve and to watch. Members that do not answer within the connect timeout are added later.</summary>
    public Task StartDirectoryAsync(PeerDirectory peers, TransportContext context, ILogger logger, CancellationToken cancellationToken)
    {
        var lookup = new ServiceLookup(Options.OfEndpoints, Options.Dns, _resolvers, _dns, context.Clock, logger, _metrics);
        DiscoveryMetrics.Observe(_metrics.Meter, () => peers.Services.Select(s => s.Started).OfType<GroupWatcher>(), _metrics.Client);
        return peers.StartAsync(lookup.Watch, Options.Timeouts.ConnectLimit, cancellationToken);
    }

    /// <summary>Takes over changes of services while the node runs.</summary>
    public IAsyncDisposable WatchServices(PeerDirectory peers, ILogger logger) => _changes.Watch(
        (settings, cancellationToken) => ReplaceAsync(peers, settings, logger, cancellationToken), logger);

    private async Task ReplaceAsync(
        PeerDirectory peers, IReadOnlyDictionary<string, HttpServiceOptions> settings, ILogger logger, CancellationToken cancellationToken)
    {
        var before = peers.Services;
        Service[] services =
        [
            .. settings.Select(s => before.FirstOrDefault(b => b.Name == s.Key && b.Settings.IsSameAs(s.Value))
                ?? MakeService(s.Key, s.Value)),
        ];
        if (services.Length == before.Count && !services.Except(before).Any())
        {
            return;
        }

        ServiceDifference.Log(logger, before.ToDictionary(s => s.Name, s => s), services.ToDictionary(s => s.Name, s => s));
        await peers.ReplaceAsync(services, Options.Timeouts.ConnectLimit, cancellationToken).ConfigureAwait(false);
        foreach (var gone in before.Select(s => s.Name).Except(services.Select(s => s.Name)))
        {
            _current.TryRemove(gone, out _);
        }
    }

    // The name stays known when its settings change, so that its endpoints are shown once.
    private Service MakeService(string name, HttpServiceOptions settings)
    {
        var service = new Service(name, settings, Options.CallsOf(settings));
        if (_current.TryAdd(name, service))
        {
            _known.Add(name, () => _current.TryGetValue(name, out var now) ? now.Addresses : []);
        }
        else
        {
            _current[name] = service;
        }

        return service;
    }
}
