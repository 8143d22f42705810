using System.Collections.Immutable;
using ServiceMesh.Links;

namespace ServiceMesh.Redis;

/// <summary>One other node, as this node knows it: what it announced, and the link to it. Immutable; a change makes another one.</summary>
internal sealed record Member(Announcement Announced, EntryState State, ImmutableHashSet<Offer> Offers, Link Link)
{
    public string Id => Announced.Id;

    /// <param name="now">In milliseconds of the server's clock.</param>
    public NodeInfo Describe(long now) => new()
    {
        Id = Id,
        Name = Announced.Name,
        Host = Announced.Host,
        ProcessId = Announced.ProcessId,
        Uptime = TimeSpan.FromMilliseconds(Math.Clamp(now - Announced.Started, 0, (long)TimeSpan.FromDays(36_500).TotalMilliseconds)),
        IsDraining = State.IsDraining,
        Subscriptions = [.. Offers.Select(o => new SubscriptionInfo { Kind = o.Kind, Pattern = o.Pattern.ToString(), Group = o.Group })],
    };
}
