using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>Who handles what, as far as it is known of the nodes at one moment: what routes are made of. Pure; immutable.</summary>
/// <param name="Requests">By topic.</param>
/// <param name="Listeners">Every subscription of a signal, of every node.</param>
/// <param name="AddressOfHere">
/// The address under which the others know this node: where it is listed, it is chosen as they choose it, by its own
/// address, weight and priority.
/// </param>
internal sealed record RoutePlan(IReadOnlyDictionary<string, PlannedRoute> Requests, ImmutableArray<Listener> Listeners, ResolvedAddress AddressOfHere)
{
    /// <summary>The address of this node while no service lists it.</summary>
    public static readonly ResolvedAddress Unlisted = new("this-node", 0);

    /// <param name="seen">The members, by service and address.</param>
    /// <param name="mine">What this node itself is subscribed to.</param>
    /// <param name="nodeId">This node.</param>
    /// <param name="here">This node as an endpoint.</param>
    public static RoutePlan Of(ImmutableArray<Sighting> seen, IReadOnlyList<Subscription> mine, string nodeId, Endpoint here)
    {
        // A node that several addresses lead to counts once: a reachable one of them, and the first by service and address.
        Sighting[] nodes =
        [
            .. seen.Where(s => s.Document is { } d && d.Id != nodeId)
                .GroupBy(s => s.Document!.Id).Select(same => same.Where(s => s.Member.IsReachable).Append(same.First()).First()),
        ];
        var handlers = nodes.SelectMany(n => n.Document!.Requests, (n, request) => new Handles(request.Topic, n.Member.Endpoint, n.Member.Service))
            .Concat(seen.Where(s => s.Member.Service.IsForeign).SelectMany(s => s.Member.Service.StatedTopics, (s, topic) => new Handles(topic, s.Member.Endpoint, s.Member.Service)))
            .Concat(mine.Where(s => s.Kind == MessageKind.Request).Select(s => new Handles(s.Pattern.ToString(), here, null)));
        var listeners = nodes.SelectMany(n => n.Document!.Signals, (n, s) => Read(n.Member, s)).OfType<Listener>()
            .Concat(mine.Where(s => s.Kind == MessageKind.Signal).Select(s => new Listener(here, s.Pattern, s.Group)));
        return new(
            handlers.GroupBy(h => h.Topic, StringComparer.Ordinal).ToDictionary(topic => topic.Key, RouteOf, StringComparer.Ordinal),
            [.. listeners],
            seen.FirstOrDefault(s => s.Document?.Id == nodeId).Member?.Endpoint.Address ?? Unlisted);
    }

    private static PlannedRoute RouteOf(IEnumerable<Handles> handlers) => new(
        [.. handlers.Select(h => h.Endpoint).Distinct()], handlers.Select(h => h.Service).FirstOrDefault(s => s is not null));

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

    private sealed record Handles(string Topic, Endpoint Endpoint, Service? Service);
}

/// <summary>The endpoints that handle one topic.</summary>
/// <param name="Endpoints">Each once.</param>
/// <param name="Service">The first that has one of them; null when only this node handles it.</param>
internal sealed record PlannedRoute(ImmutableArray<Endpoint> Endpoints, Service? Service);
