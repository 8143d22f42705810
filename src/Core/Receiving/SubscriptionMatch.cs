namespace ServiceMesh.Transports;

/// <summary>The subscriptions that match a topic: every individual, and one member of each group. Immutable.</summary>
public sealed class SubscriptionMatch
{
    /// <summary>No subscription.</summary>
    public static SubscriptionMatch None { get; } = new([]);

    private readonly Subscription[] _all;
    private readonly Subscription[] _individuals;
    private readonly SubscriptionGroup[] _groups;

    private SubscriptionMatch(Subscription[] all)
    {
        _all = all;
        _individuals = [.. all.Where(s => s.Group is null)];
        _groups = [.. all.Where(s => s.Group is not null).GroupBy(s => s.Group!).Select(g => new SubscriptionGroup(g.Key, [.. g]))];
    }

    /// <summary>How many subscriptions match.</summary>
    public int Count => _all.Length;

    /// <summary>Subscriptions without a group: each gets a copy.</summary>
    public ReadOnlySpan<Subscription> Individuals => _individuals;

    /// <summary>Groups: one member of each gets a copy, also when members subscribed with different patterns.</summary>
    public ReadOnlySpan<SubscriptionGroup> Groups => _groups;

    /// <summary>All of them.</summary>
    internal IReadOnlyList<Subscription> All => _all;

    internal bool Contains(Subscription subscription) => Array.IndexOf(_all, subscription) >= 0;

    internal SubscriptionMatch With(IEnumerable<Subscription> more) => new([.. _all, .. more]);

    internal SubscriptionMatch Without(Subscription subscription) => new([.. _all.Where(s => s != subscription)]);
}

/// <summary>The members of one group that match a topic. Thread-safe.</summary>
public sealed class SubscriptionGroup
{
    private readonly Subscription[] _members;
    private int _turn = -1;

    internal SubscriptionGroup(string name, Subscription[] members)
    {
        Name = name;
        _members = members;
    }

    /// <summary>The group's name.</summary>
    public string Name { get; }

    /// <summary>The members that match.</summary>
    internal IReadOnlyList<Subscription> Members => _members;

    /// <summary>How full its least busy member is; see <see cref="Subscription.Load"/>.</summary>
    public double Load
    {
        get
        {
            var least = double.MaxValue;
            foreach (var member in _members)
            {
                least = Math.Min(least, member.Load);
            }

            return least;
        }
    }

    /// <summary>
    /// Offers a message to one member after the other, beginning with another one each time, until one accepts.
    /// When all refuse, returns the refusal that is most worth knowing: overloaded before draining.
    /// </summary>
    public Delivery Offer(Message message)
    {
        if (_members.Length == 1)
        {
            return _members[0].Offer(message);
        }

        var first = (int)((uint)Interlocked.Increment(ref _turn) % (uint)_members.Length);
        var best = _members[first].Offer(message);
        for (var i = 1; i < _members.Length && !best.IsAccepted; i++)
        {
            var next = _members[(first + i) % _members.Length].Offer(message);
            if (next.IsAccepted || best.Refusal!.Status == StatusCode.Unavailable)
            {
                best = next;
            }
        }

        return best;
    }
}
