using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// Which endpoints handle which topics, over all known nodes: an immutable snapshot that requests and signals read without waiting. The
/// endpoints in it are live: whether one can take a request now is asked of the endpoint itself.
/// </summary>
internal sealed class Routes
{
    public static readonly Routes None = new(
        FrozenDictionary<string, RequestRoute>.Empty, [], _ => null, _ => throw new InvalidOperationException("There are no routes yet."));

    // Topics come from the application and from other nodes, so the number of remembered routes is bounded.
    private const int MaxRemembered = 4096;

    private readonly FrozenDictionary<string, RequestRoute> _requests;
    private readonly ImmutableArray<SignalSubscriber> _subscribers;
    private readonly Func<Endpoint, Member?> _memberOf;
    private readonly Func<string, RouteBalancer> _makeBalancer;
    private readonly ConcurrentDictionary<string, SignalRoute> _signals = new();

    /// <param name="requests">By topic.</param>
    /// <param name="subscribers">Every subscription to signals, of every node.</param>
    /// <param name="memberOf">Finds the member of an endpoint; null for this node itself.</param>
    /// <param name="makeBalancer">Creates the balancer of a group of a signal, by the name of the group.</param>
    public Routes(
        FrozenDictionary<string, RequestRoute> requests, ImmutableArray<SignalSubscriber> subscribers, Func<Endpoint, Member?> memberOf,
        Func<string, RouteBalancer> makeBalancer)
    {
        _requests = requests;
        _subscribers = subscribers;
        _memberOf = memberOf;
        _makeBalancer = makeBalancer;
    }

    /// <summary>The route of a request; null if no known endpoint handles the topic.</summary>
    public RequestRoute? Find(Topic topic) => _requests.GetValueOrDefault(topic.ToString());

    /// <summary>The member of an endpoint, whether the endpoint is in these routes or in later ones; null for this node itself.</summary>
    public Member? MemberOf(Endpoint endpoint) => _memberOf(endpoint);

    /// <summary>The route of a signal.</summary>
    public SignalRoute SignalsOf(Topic topic)
    {
        if (_subscribers.IsEmpty)
        {
            return SignalRoute.Empty;
        }

        if (_signals.TryGetValue(topic.ToString(), out var known))
        {
            return known;
        }

        if (_signals.Count >= MaxRemembered)
        {
            _signals.Clear();
        }

        // If two threads compute the same route, one of them must win, because its balancers remember whose turn it is.
        return _signals.GetOrAdd(topic.ToString(), _ => Match(topic));
    }

    private SignalRoute Match(Topic topic)
    {
        var matching = _subscribers.Where(s => s.Pattern.Matches(topic)).ToArray();
        var groups = matching.Where(s => s.Group is not null).GroupBy(s => s.Group!, s => s.Endpoint);
        return new(
            [.. matching.Where(s => s.Group is null).Select(s => s.Endpoint).Distinct()],
            [.. groups.Select(g => GroupOf(topic, g.Key, [.. g.Distinct()]))]);
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
/// <param name="Endpoints">All endpoints that handle the topic, whether or not they can take a request now.</param>
/// <param name="Service">The service for settings and telemetry; "local" if only this node handles the topic.</param>
/// <param name="HashBy">What a balancer may hash.</param>
/// <param name="HashHeader">The header that a balancer may hash, if it hashes a header.</param>
/// <param name="Settings">How the requests are retried and timed.</param>
internal sealed record RequestRoute(
    RouteBalancer Balancer, ImmutableArray<Endpoint> Endpoints, string Service, HashBy HashBy, string HashHeader,
    CallSettings Settings);

/// <summary>One subscription to signals on one node.</summary>
internal sealed record SignalSubscriber(Endpoint Endpoint, TopicPattern Pattern, string? Group);

/// <summary>Where signals of one topic go: to the nodes of all subscribers without a group, and to one member of each group.</summary>
internal sealed record SignalRoute(ImmutableArray<Endpoint> Individuals, ImmutableArray<GroupRoute> Groups)
{
    public static readonly SignalRoute Empty = new([], []);
}

/// <summary>The nodes with members of one group.</summary>
/// <param name="Name">The name of the group.</param>
/// <param name="Endpoints">All endpoints with members, whether or not they can take a signal now.</param>
/// <param name="Balancer">Chooses among them.</param>
internal sealed record GroupRoute(string Name, ImmutableArray<Endpoint> Endpoints, RouteBalancer Balancer);
