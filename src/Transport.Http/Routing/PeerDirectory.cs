using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The configured services, what is known about the nodes behind them, and the routes made from that. Readers take <see cref="Routes"/>
/// without waiting; a writer waits until the routes contain what it wrote. Thread-safe.
/// </summary>
internal sealed class PeerDirectory : IMemberObserver, IAsyncDisposable
{
    private volatile IReadOnlyList<Service> _services;
    private readonly TransportContext _context;
    private readonly LocalSubscriptions _local;
    private readonly ILogger _logger;
    private readonly MemberWatches _watches;
    private readonly RouteMaker _maker;
    private readonly RebuildQueue _rebuilds;
    private volatile Routes _routes = Routes.None;
    private Func<Service, Action<ImmutableArray<Endpoint>>, GroupWatcher> _makeWatcher = null!; // set at the start

    public PeerDirectory(
        IReadOnlyList<Service> services, TransportContext context, LocalSubscriptions local, BufferedClient client,
        HttpHealthOptions health, Func<string, IBalancer> makeBalancer, ILogger logger)
    {
        _services = services;
        _context = context;
        _local = local;
        _logger = logger;
        _watches = new(
            (member, stopping) => new(member, this, client, context, health, logger, stopping),
            () => ChangedAsync(CancellationToken.None), health.Timeout, context.Clock);
        var balancerOfGroups = services.Select(s => s.Settings.Balancer).FirstOrDefault() ?? BalancerKind.Usual;
        _maker = new(makeBalancer, balancerOfGroups, _watches.MemberOf, logger);
        _rebuilds = new(Rebuild);
        Here = new(RoutePlan.Unlisted, context.Clock);
    }

    /// <summary>
    /// This node as an endpoint among the others; messages to it do not use the network. It has the address that the other nodes know it
    /// by, so that all nodes hash a key to the same endpoint.
    /// </summary>
    public Endpoint Here { get; }

    public Routes Routes => _routes;

    /// <summary>The services as they are configured now.</summary>
    public IReadOnlyList<Service> Services => _services;

    /// <summary>
    /// Begins to resolve and to watch. Completes when every member has answered or failed once, or after <paramref name="maxWait"/>.
    /// </summary>
    public async Task StartAsync(
        Func<Service, Action<ImmutableArray<Endpoint>>, GroupWatcher> makeWatcher, TimeSpan maxWait, CancellationToken cancellationToken)
    {
        _makeWatcher = makeWatcher;
        foreach (var service in _services)
        {
            Start(service);
        }

        try
        {
            await FirstAnswersAsync().WaitAsync(maxWait, _context.Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Slow members are added later. The node starts, and the error of a request names the services that have not answered.
        }

        foreach (var service in _services.Where(s => s.Group.Endpoints.IsEmpty))
        {
            RoutingLog.ServiceIsEmpty(_logger, service.Name, service.Group.Group.Text, service.Group.WhyEmpty);
        }
    }

    /// <summary>
    /// Replaces the services. Those that stay are the same objects. Those that go serve until the new ones have answered or failed once, or
    /// until <paramref name="maxWait"/>. One call at a time, after the start.
    /// </summary>
    public async Task ReplaceAsync(IReadOnlyList<Service> services, TimeSpan maxWait, CancellationToken cancellationToken)
    {
        Service[] gone = [.. _services.Except(services)];
        foreach (var service in services.Except(_services))
        {
            Start(service);
        }

        _services = services;
        try
        {
            await FirstAnswersAsync().WaitAsync(maxWait, _context.Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception late) when (late is TimeoutException or OperationCanceledException)
        {
            // As at the start: slow members are added later. A node that stops needs no members.
        }

        foreach (var service in gone)
        {
            await service.DisposeAsync().ConfigureAwait(false); // it finds no more endpoints
            _watches.Replace(service, []);
        }

        await _rebuilds.AskAsync().ConfigureAwait(false);
    }

    public Task ChangedAsync(CancellationToken cancellationToken) => _rebuilds.AskAsync().WaitAsync(cancellationToken);

    public Task LearnAsync(Member member, NodeDocument? document, CancellationToken cancellationToken)
    {
        var before = member.Document;
        member.Document = document;
        return before?.Id == document?.Id && HaveSameInterests(before, document) ? Task.CompletedTask : ChangedAsync(cancellationToken);
    }

    /// <summary>Another node has contacted this one: members that were unreachable may be reachable now.</summary>
    public void PeerSeen(string watcher) => _watches.PeerSeen(watcher);

    /// <summary>A request to the endpoint failed: the endpoint is probed at once.</summary>
    public void ProbeNow(Endpoint endpoint)
    {
        _watches.ProbeNow(endpoint);
        _watches.MemberOf(endpoint)?.Service.Group.AskAgainIfNoneAnswers();
    }

    /// <summary>The other nodes that answer, each once.</summary>
    public IReadOnlyList<NodeInfo> OtherNodes() =>
    [
        .. _watches.Snapshot().Where(s => s.Member.IsReachable).Select(s => s.Document).OfType<NodeDocument>()
            .Where(d => d.Id != _context.NodeId).DistinctBy(d => d.Id).Select(d => d.ToNodeInfo()),
    ];

    /// <summary>The endpoints of all services as this node sees them.</summary>
    public IReadOnlyList<EndpointReport> DescribeEndpoints() =>
    [
        .. _watches.Snapshot().Select(s => s.Member).Select(m => new EndpointReport(
            m.Service.Name,
            m.ToString(),
            m.Document?.Id,
            UsesOf(m),
            m.Session.Reason,
            m.Endpoint.State.ToString(),
            m.Trouble is { } trouble ? Printable.Detail(trouble) : null,
            EndpointProtection.Of(m.Endpoint).Breaker.State.ToString(),
            m.Endpoint.IsEjected,
            m.Endpoint.InFlight,
            Math.Round(m.Endpoint.ReportedLoad, 3),
            Math.Round(m.Endpoint.Latency.TotalMilliseconds, 3))),
    ];

    /// <summary>The reply for a topic that no known node handles.</summary>
    public ReplyMessage NoHandler(Topic topic)
    {
        foreach (var service in _services)
        {
            service.Group.AskAgainIfNoneAnswers();
        }

        var silent = SilentServices();
        if (silent.Count > 0)
        {
            return ReplyMessage.Failure(
                StatusCode.Unavailable,
                $"No reachable node handles '{topic}'. A service whose nodes do not answer may handle it: {string.Join("; ", silent)}.",
                notProcessed: true);
        }

        return ReplyMessage.NoHandler(topic, _services.Count == 0
            ? $"This node knows no other node: add services under {_context.KeyOf("Http:Services")}."
            : $"The nodes of {string.Join(", ", _services.Select(s => s.Name))} do not handle it: start a service that does, " +
                $"or add it under {_context.KeyOf("Http:Services")}.");
    }

    /// <summary>The services without a node that answers, each with the reason.</summary>
    public IReadOnlyList<string> SilentServices()
    {
        var silent = new List<string>();
        var all = _watches.Snapshot();
        foreach (var service in _services)
        {
            MemberSnapshot[] members = [.. all.Where(s => s.Member.Service == service)];
            if (!members.Any(s => s.Member.IsReachable && (s.Document is not null || service.IsForeign)))
            {
                silent.Add($"{service.Name} ({service.Group.Group.Text}): {WhySilent(service, members)}");
            }
        }

        return silent;
    }

    public async ValueTask DisposeAsync()
    {
        await _watches.EndAllAsync().ConfigureAwait(false);
        foreach (var service in _services)
        {
            await service.DisposeAsync().ConfigureAwait(false);
        }

        await _watches.DisposeAsync().ConfigureAwait(false);
        await _rebuilds.DisposeAsync().ConfigureAwait(false);
    }

    private void Start(Service service) => service.Start(_makeWatcher, endpoints => _watches.Replace(service, endpoints));

    private async Task FirstAnswersAsync()
    {
        await Task.WhenAll(_services.Select(s => s.Group.FirstResult)).ConfigureAwait(false);
        await _watches.FirstAnswersAsync().ConfigureAwait(false);
        await ChangedAsync(CancellationToken.None).ConfigureAwait(false); // the topics of foreign servers are known without an answer
    }

    private void Rebuild()
    {
        var plan = RoutePlan.Of(_watches.Snapshot(), _local.All, _context.NodeId, Here);
        Here.Address = plan.AddressOfHere;
        _routes = _maker.Make(plan);
    }

    private string UsesOf(Member member) => member.Document?.Id == _context.NodeId ? EndpointReport.Here
        : member.Session.Current is null ? EndpointReport.Exchange
        : EndpointReport.Session;

    private static string WhySilent(Service service, MemberSnapshot[] members)
    {
        var troubles = members.Take(3).Select(s => $"{s.Member} {s.Member.Trouble ?? "has not answered yet"}");
        return service.Group.Failure ?? (members.Length == 0 ? service.Group.WhyEmpty : string.Join(", ", troubles));
    }

    private static bool HaveSameInterests(NodeDocument? a, NodeDocument? b) => (a, b) switch
    {
        (null, null) => true,
        (null, _) or (_, null) => false,
        _ => a.Requests.SequenceEqual(b.Requests) && a.Signals.SequenceEqual(b.Signals),
    };
}
