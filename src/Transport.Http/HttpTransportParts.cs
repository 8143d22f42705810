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

    public HttpTransportParts(
        HttpTransportOptions options, MeshEndpoints endpoints, ILookupClient? dns, IMeterFactory meters, ServiceEndpoints known,
        string busName = "")
    {
        Options = options;
        Endpoints = endpoints;
        ListenOn = ListenAddress.ParseAll(options.Listen ?? "http://127.0.0.1:5080");
        _resolvers = new(options.Resolvers);
        _balancers = new(options.Balancers);
        _dns = dns;
        _metrics = new(meters.Create(MeshTelemetry.MeterName), ClientMetrics.Bus, busName);
        _services =
        [
            .. options.Services.Select(s => new Service(s.Key, s.Value, options.CallsOf(s.Value))),
        ];
        foreach (var service in _services)
        {
            known.Add(service.Name, () => service.Addresses);
        }
    }

    public HttpTransportOptions Options { get; }

    public MeshEndpoints Endpoints { get; }

    public IReadOnlyList<ListenAddress> ListenOn { get; init; }

    /// <summary>The source of randomness; must be thread-safe.</summary>
    public Random Random { get; init; } = Random.Shared;

    public ConnectionPool MakeConnections(TimeProvider clock) => new(Options.Timeouts, Options.Tls.LoadTrustedRoots(), clock, Random);

    public ClientPipeline<ReplyMessage> MakePipeline(TimeProvider clock, CancellationToken stopping)
    {
        var budgets = new RetryBudgets(Options.RetryBudget, clock, Options.Services.Keys);
        _metrics.ObserveBudgets(() => budgets.Available);
        return new(Options.Limits, budgets, clock, Random, _metrics, stopping);
    }

    public PeerDirectory MakeDirectory(TransportContext context, LocalSubscriptions local, BufferedClient client, ILogger logger)
    {
        var balancing = new BalancerContext { Clock = context.Clock, Random = Random };
        return new(_services, context, local, client, Options.Health, name => _balancers.Create(name, balancing), logger);
    }

    /// <summary>Begins to resolve and to watch. Members that do not answer within the connect timeout are added later.</summary>
    public Task StartDirectoryAsync(PeerDirectory peers, TransportContext context, ILogger logger, CancellationToken cancellationToken)
    {
        var lookup = new ServiceLookup(Options.OfEndpoints, Options.Dns, _resolvers, _dns, context.Clock, logger, _metrics);
        DiscoveryMetrics.Observe(_metrics.Meter, () => _services.Select(s => s.Group), _metrics.Client);
        return peers.StartAsync(lookup.Watch, Options.Timeouts.ConnectLimit, cancellationToken);
    }
}
