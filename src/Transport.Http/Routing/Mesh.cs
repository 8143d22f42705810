using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// The services of the configuration and the nodes behind them: who is there, who handles what, who is unwell. Readers take
/// <see cref="Routes"/>; whoever learns something changes it under a lock that no request waits for.
/// </summary>
internal sealed class Mesh : IAsyncDisposable
{
    private static readonly ResolvedAddress s_unlisted = new("this-node", 0);

    // Where nobody else handles a topic there is nobody to try instead.
    private static readonly CallSettings s_alone = new();

    private readonly Lock _lock = new();
    private readonly IReadOnlyList<Service> _services;
    private readonly TransportContext _context;
    private readonly LocalNode _local;
    private readonly Connections _connections;
    private readonly HttpHealthSettings _health;
    private readonly Func<string, IBalancer> _makeBalancer;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<Endpoint, MemberWatch> _watches = [];
    private readonly Dictionary<(string Topic, string Balancer), IBalancer> _balancers = [];
    private readonly List<Task> _ending = [];
    private volatile Routes _routes = Routes.None;

    public Mesh(
        IReadOnlyList<Service> services, TransportContext context, LocalNode local, Connections connections, HttpHealthSettings health,
        Func<string, IBalancer> makeBalancer, ILogger logger)
    {
        _services = services;
        _context = context;
        _local = local;
        _connections = connections;
        _health = health;
        _makeBalancer = makeBalancer;
        _logger = logger;
        Here = new(s_unlisted, context.Clock);
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
            service.Start(makeWatcher, endpoints => Replace(service, endpoints));
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
            HttpLog.ServiceIsEmpty(_logger, service.Name, service.Group.Group.Text, service.Group.Failure ?? "it has no address");
        }
    }

    /// <summary>What this node handles has changed.</summary>
    public void Changed()
    {
        lock (_lock)
        {
            RebuildNeedsLock();
        }
    }

    /// <summary>A member said who it is; null when it has left.</summary>
    public void Learn(Member member, NodeDocument? document)
    {
        lock (_lock)
        {
            var before = member.Document;
            member.Document = document;
            if (before?.Id != document?.Id || !SameInterests(before, document))
            {
                RebuildNeedsLock();
            }
        }
    }

    /// <summary>Another node is there: those that were not reachable may be now.</summary>
    public void Met(string watcher)
    {
        lock (_lock)
        {
            if (_watches.Keys.Select(e => _watches[e].Member).Any(m => m.IsReachable && m.Document is { } d && watcher.StartsWith(d.Id + ".", StringComparison.Ordinal)))
            {
                return;
            }

            foreach (var watch in _watches.Values.Where(w => w.Member.Document is null || !w.Member.IsReachable))
            {
                watch.AskNow();
            }
        }
    }

    /// <summary>A request could not connect there: it is asked at once how it is.</summary>
    public void Suspect(Endpoint endpoint)
    {
        lock (_lock)
        {
            if (_watches.TryGetValue(endpoint, out var watch))
            {
                watch.AskNow();
            }
        }
    }

    /// <summary>The other nodes that answer, each once.</summary>
    public IReadOnlyList<NodeInfo> Others()
    {
        lock (_lock)
        {
            return
            [
                .. _watches.Values.Select(w => w.Member).Where(m => m.IsReachable && m.Document is { } d && d.Id != _context.NodeId)
                    .DistinctBy(m => m.Document!.Id).Select(m => m.Document!.ToNodeInfo()),
            ];
        }
    }

    /// <summary>The answer about a topic that nobody is known to handle.</summary>
    public ReplyMessage NobodyHandles(Topic topic)
    {
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
        lock (_lock)
        {
            foreach (var service in _services)
            {
                Member[] members = [.. _watches.Values.Select(w => w.Member).Where(m => m.Service == service)];
                if (!members.Any(m => m.IsReachable && (m.Document is not null || service.IsForeign)))
                {
                    silent.Add($"{service.Name} ({service.Group.Group.Text}): {WhySilent(service, members)}");
                }
            }
        }

        return silent;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        foreach (var service in _services)
        {
            await service.DisposeAsync().ConfigureAwait(false);
        }

        Task[] loops;
        lock (_lock)
        {
            loops = [.. _watches.Values.Select(w => w.Ended), .. _ending];
        }

        await Task.WhenAll(loops).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // how one ended must not keep the node from stopping
        _stopping.Dispose();
    }

    private async Task AskedAllAsync()
    {
        await Task.WhenAll(_services.Select(s => s.Group.FirstResult)).ConfigureAwait(false);
        Task[] asked;
        lock (_lock)
        {
            asked = [.. _watches.Values.Select(w => w.FirstAnswer)];
        }

        await Task.WhenAll(asked).ConfigureAwait(false);
    }

    private void Replace(Service service, ImmutableArray<Endpoint> endpoints)
    {
        lock (_lock)
        {
            var now = endpoints.ToHashSet();
            MemberWatch[] leaving = [.. _watches.Values.Where(w => w.Member.Service == service && !now.Contains(w.Member.Endpoint))];
            var coming = new List<Task>();
            foreach (var endpoint in endpoints.Where(e => !_watches.ContainsKey(e)))
            {
                var watch = new MemberWatch(new(service, endpoint), this, _connections, _context, _health, _logger, _stopping.Token);
                _watches[endpoint] = watch;
                watch.Start();
                coming.Add(watch.FirstAnswer);
            }

            if (coming.Count == 0)
            {
                RemoveNeedsLock(leaving);
            }
            else if (leaving.Length > 0)
            {
                // Those that left the list may well be there still, and what the new ones handle is not known yet: the old
                // ones serve until it is.
                _ending.RemoveAll(t => t.IsCompleted);
                _ending.Add(RelieveAsync(leaving, Task.WhenAll(coming)));
            }

            RebuildNeedsLock();
        }
    }

    private async Task RelieveAsync(MemberWatch[] leaving, Task successorsAnswered)
    {
        await successorsAnswered.WaitAsync(_health.Timeout, _context.Clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            RemoveNeedsLock(leaving);
            RebuildNeedsLock();
        }
    }

    private void RemoveNeedsLock(MemberWatch[] leaving)
    {
        foreach (var watch in leaving)
        {
            _watches.Remove(watch.Member.Endpoint);
            _ending.RemoveAll(t => t.IsCompleted);
            _ending.Add(watch.Ended);
            watch.End();
        }
    }

    private void RebuildNeedsLock()
    {
        // A node that several addresses lead to counts once: a reachable one of them, and the first by service and address.
        Member[] members = [.. _watches.Values.Select(w => w.Member).OrderBy(m => m.Service.Name, StringComparer.Ordinal).ThenBy(m => m.Endpoint.ToString(), StringComparer.Ordinal)];
        Member[] nodes =
        [
            .. members.Where(m => m.Document is { } d && d.Id != _context.NodeId)
                .GroupBy(m => m.Document!.Id).Select(same => same.FirstOrDefault(m => m.IsReachable) ?? same.First()),
        ];

        // Where this node is listed, it is chosen as the others choose it: by its own address, weight and priority.
        Here.Address = members.FirstOrDefault(m => m.Document?.Id == _context.NodeId)?.Endpoint.Address ?? s_unlisted;
        var requests = new Dictionary<string, List<(Endpoint Endpoint, Service? Service)>>(StringComparer.Ordinal);
        void Add(string topic, Endpoint endpoint, Service? service)
        {
            if (!requests.TryGetValue(topic, out var route))
            {
                requests[topic] = route = [];
            }

            if (!route.Exists(r => r.Endpoint == endpoint))
            {
                route.Add((endpoint, service));
            }
        }

        foreach (var node in nodes)
        {
            foreach (var interest in node.Document!.Requests)
            {
                Add(interest.Topic, node.Endpoint, node.Service);
            }
        }

        foreach (var member in members.Where(m => m.Service.IsForeign))
        {
            foreach (var topic in member.Service.StatedTopics)
            {
                Add(topic, member.Endpoint, member.Service);
            }
        }

        var mine = _local.Subscriptions;
        foreach (var subscription in mine.Where(s => s.Kind == MessageKind.Request))
        {
            Add(subscription.Pattern.ToString(), Here, null);
        }

        var listeners = nodes.SelectMany(n => n.Document!.Signals, (n, s) => Read(n, s)).OfType<Listener>()
            .Concat(mine.Where(s => s.Kind == MessageKind.Signal).Select(s => new Listener(Here, s.Pattern, s.Group)));
        foreach (var gone in _balancers.Keys.Where(k => !requests.ContainsKey(k.Topic)).ToArray())
        {
            _balancers.Remove(gone);
        }

        _routes = new(
            requests.ToFrozenDictionary(r => r.Key, r => RouteNeedsLock(r.Key, r.Value), StringComparer.Ordinal),
            [.. listeners],
            members.ToFrozenDictionary(m => m.Endpoint),
            () => _makeBalancer(DefaultBalancer));
    }

    private string DefaultBalancer => _services.Select(s => s.Settings.Balancer).FirstOrDefault() ?? new HttpServiceSettings().Balancer;

    // The balancer of a topic stays the same object, and with it what it remembers.
    private RequestRoute RouteNeedsLock(string topic, List<(Endpoint Endpoint, Service? Service)> handlers)
    {
        var service = handlers.Select(h => h.Service).FirstOrDefault(s => s is not null);
        var settings = service?.Settings ?? new();
        ImmutableArray<Endpoint> endpoints = [.. handlers.Select(h => h.Endpoint)];
        if (!_balancers.TryGetValue((topic, settings.Balancer), out var balancer))
        {
            _balancers[(topic, settings.Balancer)] = balancer = _makeBalancer(settings.Balancer);
        }

        try
        {
            // Weights and priorities change without the endpoints becoming others, so it is told in any case.
            balancer.Update(endpoints);
        }
#pragma warning disable CA1031 // A balancer may be the application's own: whatever it throws, nodes must stay watched.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            HttpLog.BalancerFailed(_logger, settings.Balancer, topic, failure);
        }

        return new(balancer, endpoints, service?.Name ?? "local", settings.HashHeader, service?.Calls ?? s_alone);
    }

    private static Listener? Read(Member node, Interest interest)
    {
        try
        {
            return new(node.Endpoint, TopicPattern.Parse(interest.Topic), interest.Group);
        }
        catch (FormatException)
        {
            return null; // of a later version perhaps; it hears all the others
        }
    }

    private static string WhySilent(Service service, Member[] members) =>
        service.Group.Failure ?? (members.Length == 0 ? "it has no address" : string.Join(", ", members.Take(3).Select(m => $"{m} {m.Trouble ?? "has not answered yet"}")));

    private static bool SameInterests(NodeDocument? a, NodeDocument? b) =>
        ReferenceEquals(a, b) || (a is not null && b is not null && a.Requests.SequenceEqual(b.Requests) && a.Signals.SequenceEqual(b.Signals));
}
