namespace ServiceMesh.Http;

/// <summary>
/// What this node itself is subscribed to. Messages from other nodes and its own end here; its own without going over the
/// network. Thread-safe.
/// </summary>
internal sealed class LocalNode
{
    private readonly SubscriptionTable _requests = new();
    private readonly SubscriptionTable _signals = new();
    private readonly Lock _lock = new();
    private List<Subscription> _all = [];
    private int _turn = -1;

    /// <summary>What it is subscribed to now.</summary>
    public IReadOnlyList<Subscription> Subscriptions
    {
        get
        {
            lock (_lock)
            {
                return [.. _all];
            }
        }
    }

    public void Add(IReadOnlyCollection<Subscription> subscriptions)
    {
        lock (_lock)
        {
            _all.AddRange(subscriptions);
        }

        foreach (var kind in subscriptions.GroupBy(s => s.Kind))
        {
            TableOf(kind.Key).Add([.. kind]);
        }
    }

    public void Remove(params IReadOnlyCollection<Subscription> subscriptions)
    {
        lock (_lock)
        {
            _all = [.. _all.Except(subscriptions)];
        }

        foreach (var subscription in subscriptions)
        {
            TableOf(subscription.Kind).Remove(subscription);
        }
    }

    public bool Handles(Topic topic) => !_requests.Match(topic).Groups.IsEmpty;

    /// <summary>How full the fullest group of a topic is: 0 idle, 1 full, more is a queue.</summary>
    public double LoadOf(Topic topic)
    {
        var most = 0.0;
        foreach (var group in _requests.Match(topic).Groups)
        {
            most = Math.Max(most, group.Load);
        }

        return most;
    }

    /// <summary>One member of one group gets the request; the groups take turns, and one that refuses leaves it to the next.</summary>
    public Delivery? Offer(Message request)
    {
        var groups = _requests.Match(request.Topic).Groups;
        if (groups.IsEmpty)
        {
            return null;
        }

        var first = groups.Length == 1 ? 0 : (int)((uint)Interlocked.Increment(ref _turn) % (uint)groups.Length);
        var best = groups[first].Offer(request);
        for (var i = 1; i < groups.Length && !best.IsAccepted; i++)
        {
            var next = groups[(first + i) % groups.Length].Offer(request);
            best = next.IsAccepted || best.Refusal!.Status == StatusCode.Unavailable ? next : best;
        }

        return best;
    }

    /// <summary>
    /// Delivers a signal to all individuals and to one member of each of these groups. The handlers run on; what an
    /// individual refuses is reported lost here, and what a group refuses is left to whoever asked.
    /// </summary>
    /// <param name="signal">The signal.</param>
    /// <param name="groups">The groups that get a copy here; null for all.</param>
    /// <param name="toIndividuals">Whether subscribers without a group get theirs.</param>
    public SignalReceipt Deliver(Message signal, IReadOnlyCollection<string>? groups, bool toIndividuals)
    {
        var match = _signals.Match(signal.Topic);
        var receivers = 0;
        foreach (var individual in toIndividuals ? match.Individuals : [])
        {
            var delivery = individual.Offer(signal);
            receivers += Begin(delivery);
            if (!delivery.IsAccepted)
            {
                delivery.ReportLoss();
            }
        }

        var refused = new List<Refusal>();
        var left = groups?.ToHashSet(StringComparer.Ordinal);
        foreach (var group in match.Groups)
        {
            if (left is not null && !left.Remove(group.Name))
            {
                continue;
            }

            var delivery = group.Offer(signal);
            receivers += Begin(delivery);
            if (!delivery.IsAccepted && groups is null)
            {
                // Nobody there to try another member: this node is the last that knows.
                delivery.ReportLoss();
            }
            else if (!delivery.IsAccepted)
            {
                refused.Add(new(group.Name, (int)delivery.Refusal!.Status, delivery.Refusal.Error!));
            }
        }

        foreach (var gone in left ?? [])
        {
            refused.Add(new(gone, (int)StatusCode.NotFound, $"No member of group '{gone}' is here any more."));
        }

        return new(receivers, refused);
    }

    private SubscriptionTable TableOf(MessageKind kind) => kind == MessageKind.Request ? _requests : _signals;

    private static int Begin(Delivery delivery)
    {
        if (!delivery.IsAccepted)
        {
            return 0;
        }

        ThreadPool.UnsafeQueueUserWorkItem(static d => Run(d), delivery, preferLocal: false);
        return 1;
    }

    // RunAsync never throws and reports its own failures, so nobody needs to look at how it ended.
    private static async void Run(Delivery delivery) => await delivery.RunAsync().ConfigureAwait(false);
}
