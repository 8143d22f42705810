using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace ServiceMesh.Http;

/// <summary>
/// Makes routes from a plan. The balancer of a topic stays the same object from plan to plan, and with it what it remembers. Not
/// thread-safe: one plan at a time.
/// </summary>
/// <param name="makeBalancer">Creates a balancer by its name.</param>
/// <param name="balancerOfGroups">The name of the balancer for the groups of signals.</param>
/// <param name="memberOf">Finds the member of an endpoint.</param>
/// <param name="logger">Receives the failures of balancers.</param>
internal sealed class RouteMaker(
    Func<string, IBalancer> makeBalancer, string balancerOfGroups, Func<Endpoint, Member?> memberOf, ILogger logger)
{
    // If only this node handles a topic, there is no other endpoint to retry at.
    private static readonly CallSettings s_localOnly = new();

    private Dictionary<(string Topic, string Balancer), RouteBalancer> _balancers = [];

    public Routes Make(RoutePlan plan)
    {
        var balancers = new Dictionary<(string Topic, string Balancer), RouteBalancer>();
        var requests = plan.Requests.ToFrozenDictionary(r => r.Key, r => RouteOf(r.Key, r.Value, balancers), StringComparer.Ordinal);
        _balancers = balancers;
        return new(requests, plan.Subscribers, memberOf, of => BalancerOf(of, balancerOfGroups));
    }

    private RequestRoute RouteOf(
        string topic, PlannedRoute planned, Dictionary<(string Topic, string Balancer), RouteBalancer> balancers)
    {
        var settings = planned.Service?.Settings ?? new();
        var key = (topic, settings.Balancer);
        var balancer = balancers[key] = _balancers.GetValueOrDefault(key) ?? BalancerOf(topic, settings.Balancer);

        // Weights and priorities change while the endpoints stay the same objects, so the balancer is updated in any case.
        balancer.Update(planned.Endpoints);
        var service = planned.Service?.Name ?? "local";
        return new(
            balancer, planned.Endpoints, service, settings.HashBy, settings.HashHeader, planned.Service?.Calls ?? s_localOnly);
    }

    private RouteBalancer BalancerOf(string of, string name) => new(name, of, () => makeBalancer(name), logger);
}
