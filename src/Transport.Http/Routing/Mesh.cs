using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The services of the configuration and what is known of the nodes behind them. Readers take <see cref="Routes"/> and wait
/// for nobody; whoever learns something waits until the routes have it. Thread-safe.
/// </summary>
internal sealed class Mesh : IAsyncDisposable
{
    private readonly IReadOnlyList<Service> _services;
    private readonly TransportContext _context;
    private readonly LocalNode _local;
    private readonly ILogger _logger;
    private readonly Roster _roster;
    private readonly RouteMaker _maker;
    private readonly Rebuilds _rebuilds;
    private volatile Routes _routes = Routes.None;

    public Mesh(
        IReadOnlyList<Service> services, TransportContext context, LocalNode local, Connections connections, HttpHealthSettings health,
        Func<string, IBalancer> makeBalancer, ILogger logger)
    {
        _services = services;
        _context = context;
        _local = local;
        _logger = logger;
        _roster = new(
            (member, stopping) => new(member, this, connections, context, health, logger, stopping), () => ChangedAsync(CancellationToken.None), health.Timeout, context.Clock);
        _maker = new(makeBalancer, services.Select(s => s.Settings.Balancer).FirstOrDefault() ?? BalancerKind.Usual, _roster.MemberOf, logger);
        _rebuilds = new(Rebuild);
        Here = new(RoutePlan.Unlisted, context.Clock);
    }

    /// <summary>
    /// This node as an endpoint among the others; nothing goes over the network to it. It has the address under which the
    /// others know it, so that all agree on whose a key is.
    /// </summary>
    public Endpoint Here { get; }

    public Routes Routes => _routes;

    /// <summary>Begins to resolve and to ask; ends when everybody has been asked once, or after <paramref name="patience"/>.</summary>
    public async Task StartAsync(Func<Service, Action<ImmutableArray<Endpoint>>, GroupWatcher> makeWatcher, TimeSpan patience, CancellationToken cancellationToken)
    {
        foreach (var service in _services)
        {
            service.Start(makeWatcher, endpoints => _roster.Replace(service, endpoints));
        }

        try
        {
            await AskedAllAsync().WaitAsync(patience, _context.Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Whoever is slow is learned of later. The node lives on, and a request says whom it knows nothing of.
        }

        foreach (var service in _services.Where(s => s.Group.Endpoints.IsEmpty))
        {
            HttpLog.ServiceIsEmpty(_logger, service.Name, service.Group.Group.Text, service.Group.WhyEmpty);
        }
    }

    /// <summary>What this node handles has changed, or who can be reached: ends when the routes have it.</summary>
    public Task ChangedAsync(CancellationToken cancellationToken) => _rebuilds.AskAsync().WaitAsync(cancellationToken);

    /// <summary>A member said who it is; null when it has left. Called by its own watch only; ends when the routes have it.</summary>
    public Task LearnAsync(Member member, NodeDocument? document, CancellationToken cancellationToken)
    {
        var before = member.Document;
        member.Document = document;
        return before?.Id == document?.Id && SameInterests(before, document) ? Task.CompletedTask : ChangedAsync(cancellationToken);
    }

    /// <summary>Another node is there: those that were not reachable may be now.</summary>
    public void Met(string watcher) => _roster.Met(watcher);

    /// <summary>A request could not connect there: it is asked at once how it is.</summary>
    public void Suspect(Endpoint endpoint)
    {
        _roster.Suspect(endpoint);
        _roster.MemberOf(endpoint)?.Service.Group.AskAgainIfNoneAnswers();
    }

    /// <summary>The other nodes that answer, each once.</summary>
    public IReadOnlyList<NodeInfo> Others() =>
    [
        .. _roster.Look().Where(s => s.Member.IsReachable).Select(s => s.Document).OfType<NodeDocument>()
            .Where(d => d.Id != _context.NodeId).DistinctBy(d => d.Id).Select(d => d.ToNodeInfo()),
    ];

    /// <summary>The answer about a topic that nobody is known to handle.</summary>
    public ReplyMessage NobodyHandles(Topic topic)
    {
        foreach (var service in _services)
        {
            service.Group.AskAgainIfNoneAnswers();
        }

        var silent = SilentServices();
        return silent.Count == 0
            ? ReplyMessage.NoHandler(topic, _services.Count == 0
                ? "This node knows no other: name services under ServiceMesh:Http:Services."
                : $"None of the nodes of {string.Join(", ", _services.Select(s => s.Name))} does: start a service that does, or name it under ServiceMesh:Http:Services.")
            : ReplyMessage.Failure(
                StatusCode.Unavailable,
                $"No reachable node handles '{topic}', and who would is not known while a service has no node that answers: {string.Join("; ", silent)}.",
                notProcessed: true);
    }

    /// <summary>The services that have no node which answers, each with why.</summary>
    public IReadOnlyList<string> SilentServices()
    {
        var silent = new List<string>();
        var all = _roster.Look();
        foreach (var service in _services)
        {
            Sighting[] members = [.. all.Where(s => s.Member.Service == service)];
            if (!members.Any(s => s.Member.IsReachable && (s.Document is not null || service.IsForeign)))
            {
                silent.Add($"{service.Name} ({service.Group.Group.Text}): {WhySilent(service, members)}");
            }
        }

        return silent;
    }

    public async ValueTask DisposeAsync()
    {
        await _roster.EndAllAsync().ConfigureAwait(false);
        foreach (var service in _services)
        {
            await service.DisposeAsync().ConfigureAwait(false);
        }

        await _roster.DisposeAsync().ConfigureAwait(false);
        await _rebuilds.DisposeAsync().ConfigureAwait(false);
    }

    private async Task AskedAllAsync()
    {
        await Task.WhenAll(_services.Select(s => s.Group.FirstResult)).ConfigureAwait(false);
        await _roster.AskedAllAsync().ConfigureAwait(false);
        await ChangedAsync(CancellationToken.None).ConfigureAwait(false); // what foreign servers handle is known without asking
    }

    private void Rebuild()
    {
        var plan = RoutePlan.Of(_roster.Look(), _local.Subscriptions, _context.NodeId, Here);
        Here.Address = plan.AddressOfHere;
        _routes = _maker.Make(plan);
    }

    private static string WhySilent(Service service, Sighting[] members) =>
        service.Group.Failure ?? (members.Length == 0 ? service.Group.WhyEmpty : string.Join(", ", members.Take(3).Select(s => $"{s.Member} {s.Member.Trouble ?? "has not answered yet"}")));

    private static bool SameInterests(NodeDocument? a, NodeDocument? b) =>
        ReferenceEquals(a, b) || (a is not null && b is not null && a.Requests.SequenceEqual(b.Requests) && a.Signals.SequenceEqual(b.Signals));
}
