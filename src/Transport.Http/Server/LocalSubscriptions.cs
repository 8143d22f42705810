namespace ServiceMesh.Http;

/// <summary>
/// The subscriptions of this node. Messages from other nodes and from this node end here; those of this node do not use the network.
/// Thread-safe.
/// </summary>
internal sealed class LocalSubscriptions
{
    private readonly SubscriptionTable _requests = new();
    private readonly SubscriptionTable _signals = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<Topic, int> _reading = []; // how many large bodies are being read
    private List<Subscription> _all = [];
    private int _nextGroup = -1;
    private volatile bool _demandsPolicies;

    /// <summary>All subscriptions now.</summary>
    public IReadOnlyList<Subscription> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _all];
            }
        }
    }

    /// <summary>Whether a subscription demands a policy, or did: most nodes have none, and spend nothing on them.</summary>
    public bool DemandsPolicies => _demandsPolicies;

    /// <summary>All subscriptions that match a topic.</summary>
    public IReadOnlyList<Subscription> Matching(MessageKind kind, Topic topic) => TableOf(kind).Match(topic).All;

    public void Add(IReadOnlyCollection<Subscription> subscriptions)
    {
        _demandsPolicies |= subscriptions.Any(s => s.AuthorizationPolicies.Count > 0);
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

    /// <summary>
    /// Asks whether a request would be accepted, before its body is read; its place is not kept. Null if it would; otherwise the refusal.
    /// </summary>
    public ReplyMessage? WhyNot(Message request)
    {
        switch (Offer(request))
        {
            case null:
                return ReplyMessage.NoHandler(request.Topic);
            case { IsAccepted: true } accepted:
                accepted.Withdraw();
                return null;
            case var refused:
                return refused.Refusal;
        }
    }

    /// <summary>
    /// Begins to read a large body for a topic. False if as many are being read as its handlers have free places. When it is true, call
    /// <see cref="EndReading"/>.
    /// </summary>
    public bool TryBeginReading(Topic topic)
    {
        var free = 0;
        foreach (var subscription in Matching(MessageKind.Request, topic))
        {
            free += subscription.Places - subscription.InFlight;
        }

        lock (_lock)
        {
            var reading = _reading.GetValueOrDefault(topic);
            if (reading >= free)
            {
                return false;
            }

            _reading[topic] = reading + 1;
            return true;
        }
    }

    public void EndReading(Topic topic)
    {
        lock (_lock)
        {
            if (--_reading[topic] == 0)
            {
                _reading.Remove(topic);
            }
        }
    }

    public bool Handles(Topic topic) => !_requests.Match(topic).Groups.IsEmpty;

    /// <summary>The highest load of a group of a topic: 0 is idle, 1 is full, more than 1 means a queue.</summary>
    public double LoadOf(Topic topic)
    {
        var highest = 0.0;
        foreach (var group in _requests.Match(topic).Groups)
        {
            highest = Math.Max(highest, group.Load);
        }

        return highest;
    }

    /// <summary>The highest load of all subscriptions, in the same unit.</summary>
    public double HighestLoad
    {
        get
        {
            lock (_lock)
            {
                return _all.Count == 0 ? 0 : _all.Max(s => s.Load);
            }
        }
    }

    /// <summary>
    /// Offers a request to one member of one group. The groups take turns; if a group refuses, the next one is asked. Null if no group
    /// handles the topic.
    /// </summary>
    public Delivery? Offer(Message request)
    {
        var groups = _requests.Match(request.Topic).Groups;
        if (groups.IsEmpty)
        {
            return null;
        }

        var first = groups.Length == 1 ? 0 : (int)((uint)Interlocked.Increment(ref _nextGroup) % (uint)groups.Length);
        var best = groups[first].Offer(request);
        for (var i = 1; i < groups.Length && !best.IsAccepted; i++)
        {
            var next = groups[(first + i) % groups.Length].Offer(request);
            best = next.IsAccepted || best.Refusal!.Status == StatusCode.Unavailable ? next : best;
        }

        return best;
    }

    /// <summary>
    /// Delivers a signal to all subscribers without a group and to one member of each of these groups. It does not wait for the handlers.
    /// A copy that a subscriber without a group refuses is reported as lost here; a copy that a group refuses is left to the sender.
    /// </summary>
    /// <param name="signal">The signal.</param>
    /// <param name="groups">The groups that receive a copy here; null for all.</param>
    /// <param name="toIndividuals">Whether subscribers without a group receive a copy.</param>
    /// <param name="denied">The subscriptions that the caller may not reach.</param>
    public SignalReceipt Deliver(
        Message signal, IReadOnlyCollection<string>? groups, bool toIndividuals,
        IReadOnlyDictionary<Subscription, ReplyMessage>? denied = null)
    {
        var match = _signals.Match(signal.Topic);
        var receivers = 0;
        foreach (var individual in toIndividuals ? match.Individuals : [])
        {
            if (denied?.ContainsKey(individual) == true)
            {
                continue;
            }

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

            if (denied is not null && group.Members.FirstOrDefault(denied.ContainsKey) is { } member)
            {
                refused.Add(new(group.Name, (int)denied[member].Status, denied[member].Error!));
                continue;
            }

            var delivery = group.Offer(signal);
            receivers += Begin(delivery);
            if (!delivery.IsAccepted && groups is null)
            {
                // The sender cannot try another member, so this node is the last that knows about the signal.
                delivery.ReportLoss();
            }
            else if (!delivery.IsAccepted)
            {
                refused.Add(new(group.Name, (int)delivery.Refusal!.Status, delivery.Refusal.Error!));
            }
        }

        foreach (var gone in left ?? [])
        {
            refused.Add(new(gone, (int)StatusCode.NotFound, $"Group '{gone}' has no member here."));
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

    // RunAsync never throws and reports its own failures, so its task need not be observed.
    private static async void Run(Delivery delivery) => await delivery.RunAsync().ConfigureAwait(false);
}
