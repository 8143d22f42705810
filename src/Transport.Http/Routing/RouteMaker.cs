using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Makes routes of a plan. The balancer of a topic stays the same object from plan to plan, and with it what it remembers.
/// Not thread-safe: one plan at a time.
/// </summary>
/// <param name="makeBalancer">Makes a balancer by its name.</param>
/// <param name="balancerOfGroups">The name of the balancer that chooses in the groups of a signal.</param>
/// <param name="memberOf">What is known of an endpoint.</param>
/// <param name="logger">Where balancers that throw are reported.</param>
internal sealed class RouteMaker(Func<string, IBalancer> makeBalancer, string balancerOfGroups, Func<Endpoint, Member?> memberOf, ILogger logger)
{
    // Where nobody else handles a topic there is nobody to try instead.
    private static readonly CallSettings s_alone = new();

    private Dictionary<(string Topic, string Balancer), RouteBalancer> _balancers = [];

    public Routes Make(RoutePlan plan)
    {
        var balancers = new Dictionary<(string Topic, string Balancer), RouteBalancer>();
        var requests = plan.Requests.ToFrozenDictionary(r => r.Key, r => RouteOf(r.Key, r.Value, balancers), StringComparer.Ordinal);
        _balancers = balancers;
        return new(requests, plan.Listeners, memberOf, of => BalancerOf(of, balancerOfGroups));
    }

    private RequestRoute RouteOf(string topic, PlannedRoute planned, Dictionary<(string Topic, string Balancer), RouteBalancer> balancers)
    {
        var settings = planned.Service?.Settings ?? new();
        var key = (topic, settings.Balancer);
        var balancer = balancers[key] = _balancers.GetValueOrDefault(key) ?? BalancerOf(topic, settings.Balancer);

        // Weights and priorities change without the endpoints becoming others, so it is told in any case.
        balancer.Update(planned.Endpoints);
        return new(balancer, planned.Endpoints, planned.Service?.Name ?? "local", settings.HashHeader, planned.Service?.Calls ?? s_alone);
    }

    private RouteBalancer BalancerOf(string of, string name) => new(name, of, () => makeBalancer(name), logger);
}
