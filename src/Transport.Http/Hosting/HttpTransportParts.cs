using System.Diagnostics.Metrics;
using DnsClient;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// What the HTTP transport of one bus is put together from, checked before anything starts. Made once, when the bus is.
/// </summary>
internal sealed class HttpTransportParts
{
    private readonly ResolverKinds _resolvers;
    private readonly BalancerKinds _balancers;
    private readonly ILookupClient? _dns;
    private readonly ClientMetrics _metrics;
    private readonly IReadOnlyList<Service> _services;

    /// <exception cref="InvalidOperationException">The configuration cannot work; the message names each offending key.</exception>
    public HttpTransportParts(
        HttpTransportOptions options, MeshEndpoints endpoints, ResolverKinds resolvers, BalancerKinds balancers, ILookupClient? dns, IMeterFactory meters, ServiceEndpoints known,
        RequestSettings request, string busName = "")
    {
        HttpOptionsCheck.Check(options, resolvers, balancers, request.Timeout);
        Options = options;
        Endpoints = endpoints;
        ListenOn = ListenAddress.ParseAll(options.Listen ?? "http://127.0.0.1:5080");
        _resolvers = resolvers;
        _balancers = balancers;
        _dns = dns;
        _metrics = new(meters.Create("ServiceMesh"), ClientMetrics.Bus, busName);
        _services = [.. options.Services.Select(s => new Service(s.Key, s.Value, CallSettings.Of(s.Value.Retry, options.Retry, options.Timeouts)))];
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

    public ClientStack<ReplyMessage> MakeStack(TimeProvider clock)
    {
        var budget = new RetryBudget(Options.RetryBudget, clock);
        _metrics.Observe(budget);
        return new(Options.Limits, budget, clock, Random, _metrics);
    }

    public Mesh MakeMesh(TransportContext context, LocalNode local, Connections connections, ILogger logger)
    {
        var balancing = new BalancerContext { Clock = context.Clock, Random = Random };
        return new(_services, context, local, connections, Options.Health, name => _balancers.Create(name, balancing), logger);
    }

    /// <summary>Begins to resolve and to ask. Whoever does not answer within the connect timeout is learned of later.</summary>
    public Task StartMeshAsync(Mesh mesh, TransportContext context, ILogger logger, CancellationToken cancellationToken)
    {
        var lookup = new ServiceLookup(Options, _resolvers, _dns, context.Clock, logger, _metrics);
        _metrics.Observe(() => _services.Select(s => s.Group));
        return mesh.StartAsync(lookup.Watch, Options.Timeouts.ConnectLimit, cancellationToken);
    }
}
