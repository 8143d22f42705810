using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>Which endpoints handle which topics, as known at one moment: the input of routes. Pure; immutable.</summary>
/// <param name="Requests">By topic.</param>
/// <param name="Subscribers">Every subscription to signals, of every node.</param>
/// <param name="AddressOfHere">
/// The address that the other nodes know this node by. If a service lists this node, it is chosen as the other nodes choose it, by its
/// address, weight and priority there.
/// </param>
internal sealed record RoutePlan(
    IReadOnlyDictionary<string, PlannedRoute> Requests, ImmutableArray<SignalSubscriber> Subscribers, ResolvedAddress AddressOfHere)
{
    /// <summary>The address of this node while no service lists it.</summary>
    public static readonly ResolvedAddress Unlisted = new("this-node", 0);

    /// <param name="members">The members, ordered by service and address.</param>
    /// <param name="local">The subscriptions of this node.</param>
    /// <param name="nodeId">The id of this node.</param>
    /// <param name="here">This node as an endpoint.</param>
    public static RoutePlan Of(ImmutableArray<MemberSnapshot> members, IReadOnlyList<Subscription> local, string nodeId, Endpoint here)
    {
        // A node with several addresses counts once: by a reachable address, and otherwise by the first one.
        MemberSnapshot[] nodes =
        [
            .. members.Where(s => s.Document is { } d && d.Id != nodeId)
                .GroupBy(s => s.Document!.Id).Select(same => same.Where(s => s.Member.IsReachable).Append(same.First()).First()),
        ];
        var ofNodes = nodes.SelectMany(
            n => n.Document!.Requests, (n, request) => new Handler(request.Topic, n.Member.Endpoint, n.Member.Service));
        var ofForeign = members.Where(s => s.Member.Service.IsForeign)
            .SelectMany(s => s.Member.Service.ConfiguredTopics, (s, topic) => new Handler(topic, s.Member.Endpoint, s.Member.Service));
        var ofHere = local.Where(s => s.Kind == MessageKind.Request).Select(s => new Handler(s.Pattern.ToString(), here, null));
        var requests = ofNodes.Concat(ofForeign).Concat(ofHere).GroupBy(h => h.Topic, StringComparer.Ordinal);
        var subscribers = nodes.SelectMany(n => n.Document!.Signals, (n, s) => Read(n.Member, s)).OfType<SignalSubscriber>()
            .Concat(local.Where(s => s.Kind == MessageKind.Signal).Select(s => new SignalSubscriber(here, s.Pattern, s.Group)));
        return new(
            requests.ToDictionary(topic => topic.Key, RouteOf, StringComparer.Ordinal),
            [.. subscribers],
            members.FirstOrDefault(s => s.Document?.Id == nodeId).Member?.Endpoint.Address ?? Unlisted);
    }

    private static PlannedRoute RouteOf(IEnumerable<Handler> handlers) => new(
        [.. handlers.Select(h => h.Endpoint).Distinct()], handlers.Select(h => h.Service).FirstOrDefault(s => s is not null));

    private static SignalSubscriber? Read(Member node, Interest interest)
    {
        try
        {
            return new(node.Endpoint, TopicPattern.Parse(interest.Topic), interest.Group);
        }
        catch (FormatException)
        {
            return null; // perhaps from a later version; the node receives all other signals
        }
    }

    private sealed record Handler(string Topic, Endpoint Endpoint, Service? Service);
}

/// <summary>The endpoints that handle one topic.</summary>
/// <param name="Endpoints">The endpoints, each once.</param>
/// <param name="Service">The first service with one of them; null if only this node handles the topic.</param>
internal sealed record PlannedRoute(ImmutableArray<Endpoint> Endpoints, Service? Service);
