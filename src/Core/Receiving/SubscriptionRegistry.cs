namespace ServiceMesh;

/// <summary>What one node is subscribed to, and the rule that a group has one handler per topic on one node.</summary>
internal sealed class SubscriptionRegistry
{
    private readonly Lock _lock = new();
    private readonly List<Subscription> _all = [];

    /// <summary>How many messages run or wait in all.</summary>
    public int InFlight => Snapshot().Sum(s => s.Gate.InFlight);

    public IReadOnlyList<Subscription> Snapshot()
    {
        lock (_lock)
        {
            return [.. _all];
        }
    }

    /// <exception cref="InvalidOperationException">Two handlers would share one group of one topic on this node.</exception>
    public void Add(IReadOnlyCollection<Subscription> subscriptions)
    {
        lock (_lock)
        {
            var before = _all.Count;
            foreach (var added in subscriptions)
            {
                var twin = added.Group is null ? null : _all.Find(s =>
                    s.Kind == added.Kind && s.Pattern.Equals(added.Pattern) && s.Group == added.Group);
                if (twin is not null)
                {
                    _all.RemoveRange(before, _all.Count - before);
                    throw new InvalidOperationException(
                        $"The {added} cannot be added: there is already a {twin} on this node, and a group has one handler " +
                        "per topic and node. Remove one, or give one of them another group.");
                }

                if (added.Kind == MessageKind.Request && _all.Find(s => DiffersInPolicies(s, added)) is { } other)
                {
                    _all.RemoveRange(before, _all.Count - before);
                    throw new InvalidOperationException(
                        $"The {added} cannot be added: it demands other authorization policies than the {other}. A caller reaches one " +
                        "group of a topic, so all handlers of a request topic on a node must demand the same policies.");
                }

                _all.Add(added);
            }
        }
    }

    private static bool DiffersInPolicies(Subscription one, Subscription other) =>
        one.Kind == other.Kind && one.Pattern.Equals(other.Pattern)
        && !one.AuthorizationPolicies.Order().SequenceEqual(other.AuthorizationPolicies.Order());

    public bool Remove(Subscription subscription)
    {
        lock (_lock)
        {
            return _all.Remove(subscription);
        }
    }

    public IEnumerable<HandlerLoad> Loads() => Snapshot().Select(s => new HandlerLoad(s.Pattern, s.Group, s.Gate.Running, s.Gate.Waiting));

    public IReadOnlyList<SubscriptionInfo> Describe() =>
        [.. Snapshot().Select(s => new SubscriptionInfo { Kind = s.Kind, Pattern = s.Pattern.ToString(), Group = s.Group })];
}
