using System.Diagnostics.Metrics;

namespace ServiceMesh.Http;

/// <summary>The metrics of discovery: the number of endpoints of each group, and the age of that knowledge.</summary>
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

        KeyValuePair<string, object?>[] Tag(GroupWatcher group) => [new("servicemesh.service", group.Name), .. client];
    }
}
