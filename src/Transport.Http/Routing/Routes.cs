using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// Who handles what, over all known nodes: an immutable snapshot that requests and signals read without waiting. The
/// endpoints in it live on: whether one can take a request now is asked of the endpoint itself.
/// </summary>
internal sealed class Routes
{
    public static readonly Routes None = new(FrozenDictionary<string, RequestRoute>.Empty, [], _ => null, _ => throw new InvalidOperationException());

    // Topics come from the application and from outside; what is remembered of them is bounded.
    private const int MostRemembered = 4096;

    private readonly FrozenDictionary<string, RequestRoute> _requests;
    private readonly ImmutableArray<Listener> _listeners;
    private readonly Func<Endpoint, Member?> _memberOf;
    private readonly Func<string, RouteBalancer> _makeBalancer;
    private readonly ConcurrentDictionary<string, SignalRoute> _signals = new();

    /// <param name="requests">By topic.</param>
    /// <param name="listeners">Every subscription of a signal, of every node.</param>
    /// <param name="memberOf">What is known of an endpoint; null for this node itself.</param>
    /// <param name="makeBalancer">Makes the balancer of a group of a signal, which it names.</param>
    public Routes(
        FrozenDictionary<string, RequestRoute> requests, ImmutableArray<Listener> listeners, Func<Endpoint, Member?> memberOf, Func<string, RouteBalancer> makeBalancer)
    {
        _requests = requests;
        _listeners = listeners;
        _memberOf = memberOf;
        _makeBalancer = makeBalancer;
    }

    /// <summary>Who handles a topic; null when nobody is known to.</summary>
    public RequestRoute? Find(Topic topic) => _requests.GetValueOrDefault(topic.ToString());

    /// <summary>What is known of an endpoint, whether it is in these routes or in later ones; null for this node itself.</summary>
    public Member? MemberOf(Endpoint endpoint) => _memberOf(endpoint);

    /// <summary>Who wants signals of a topic.</summary>
    public SignalRoute SignalsOf(Topic topic)
    {
        if (_listeners.IsEmpty)
        {
            return SignalRoute.Nobody;
        }

        if (_signals.TryGetValue(topic.ToString(), out var known))
        {
            return known;
        }

        if (_signals.Count >= MostRemembered)
        {
            _signals.Clear();
        }

        // Two threads may both have looked: one route must win, because its balancers remember whose turn it is.
        return _signals.GetOrAdd(topic.ToString(), _ => Match(topic));
    }

    private SignalRoute Match(Topic topic)
    {
        var matching = _listeners.Where(l => l.Pattern.Matches(topic)).ToArray();
        return new(
            [.. matching.Where(l => l.Group is null).Select(l => l.Endpoint).Distinct()],
            [.. matching.Where(l => l.Group is not null).GroupBy(l => l.Group!, l => l.Endpoint).Select(g => GroupOf(topic, g.Key, [.. g.Distinct()]))]);
    }

    private GroupRoute GroupOf(Topic topic, string name, ImmutableArray<Endpoint> endpoints)
    {
        var balancer = _makeBalancer($"{topic}, group {name}");
        balancer.Update(endpoints);
        return new(name, endpoints, balancer);
    }
}

/// <summary>Where requests of one topic may go.</summary>
/// <param name="Balancer">Chooses among the endpoints.</param>
/// <param name="Endpoints">All that handle it, whether or not they can take a request now.</param>
/// <param name="Service">The service that the settings are of, and telemetry; "local" when only this node handles it.</param>
/// <param name="HashHeader">The header that a balancer may hash.</param>
/// <param name="Settings">How its requests are retried and timed.</param>
internal sealed record RequestRoute(RouteBalancer Balancer, ImmutableArray<Endpoint> Endpoints, string Service, string HashHeader, CallSettings Settings);

/// <summary>One subscription of a signal on one node.</summary>
internal sealed record Listener(Endpoint Endpoint, TopicPattern Pattern, string? Group);

/// <summary>Who gets signals of one topic: each of the individuals' nodes, and one member of each group.</summary>
internal sealed record SignalRoute(ImmutableArray<Endpoint> Individuals, ImmutableArray<GroupRoute> Groups)
{
    public static readonly SignalRoute Nobody = new([], []);
}

/// <summary>The nodes that have members of one group.</summary>
/// <param name="Name">The group.</param>
/// <param name="Endpoints">All that have members, whether or not they can take a signal now.</param>
/// <param name="Balancer">Chooses among them.</param>
internal sealed record GroupRoute(string Name, ImmutableArray<Endpoint> Endpoints, RouteBalancer Balancer);
