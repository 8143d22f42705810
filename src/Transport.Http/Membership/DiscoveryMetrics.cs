using System.Diagnostics.Metrics;

namespace ServiceMesh.Http;

/// <summary>
/// The metrics of discovery: the number of endpoints of each group, the age of that knowledge, and the present state of each endpoint.
/// </summary>
internal static class DiscoveryMetrics
{
    /// <summary>Publishes the groups of one bus, or of the HttpClients of one configuration.</summary>
    /// <param name="meter">The meter; it owns the instruments.</param>
    /// <param name="groups">Returns the groups at the moment of a measurement.</param>
    /// <param name="client">The tags of the client, because several clients may use the same service.</param>
    public static void Observe(Meter meter, Func<IEnumerable<GroupWatcher>> groups, params KeyValuePair<string, object?>[] client)
    {
        meter.CreateObservableUpDownCounter(
            "servicemesh.discovery.endpoints",
            () => groups().Select(g => new Measurement<int>(g.Endpoints.Length, Tag(g))),
            "{endpoint}", "Endpoints of the group.");
        meter.CreateObservableGauge(
            "servicemesh.discovery.age",
            () => groups().Where(g => g.Age is not null).Select(g => new Measurement<double>(g.Age!.Value.TotalSeconds, Tag(g))),
            "s", "Time since the last good answer about the group. It grows while resolution fails.");

        meter.CreateObservableGauge(
            "servicemesh.http.endpoint.state",
            () => Of(e => (int)e.State),
            description: "State of an endpoint: 0 healthy, 1 draining, 2 unreachable.");
        meter.CreateObservableGauge(
            "servicemesh.http.endpoint.circuit",
            () => Of(e => EndpointProtection.Of(e).Breaker.State switch
            {
                CircuitState.Closed => 0,
                CircuitState.HalfOpen => 1,
                _ => 2,
            }),
            description: "Circuit of an endpoint: 0 closed, 1 half open, 2 open.");
        meter.CreateObservableGauge(
            "servicemesh.http.endpoint.ejected",
            () => Of(e => e.IsEjected ? 1 : 0),
            description: "Whether an endpoint is ejected: 1 if it is.");

        IEnumerable<Measurement<int>> Of(Func<Endpoint, int> value) =>
            from g in groups()
            from e in g.Endpoints
            select new Measurement<int>(
                value(e), [.. Tag(g), new("server.address", e.Address.Host), new("server.port", e.Address.Port)]);

        KeyValuePair<string, object?>[] Tag(GroupWatcher group) => [new("servicemesh.service", group.Name), .. client];
    }
}
