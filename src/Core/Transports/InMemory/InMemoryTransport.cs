namespace ServiceMesh.Transports;

/// <summary>
/// The reference transport: nodes of one process on one <see cref="InMemoryNetwork"/>. Bodies are encoded like on any
/// wire unless references are passed, and handlers run on the thread pool, never on the caller's thread.
/// </summary>
internal sealed class InMemoryTransport(InMemoryNetwork network, bool passByReference) : ITransport, IInProcessTransport
{
    private readonly Lock _lock = new();
    private List<Subscription> _mine = [];
    private TransportContext _context = null!;

    public bool PassesReferences => passByReference;

    public TransportCapabilities Capabilities { get; } = new()
    {
        System = "inmemory",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.OrderedDelivery
            | TransportFeatures.Cancellation | TransportFeatures.RequestsReachEveryGroup,
        ReceiverCount = ReceiverCount.Subscriptions,
        ReleasesTokens = true,
    };

    public Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        _context = context;
        network.Nodes[context.NodeId] = context;
        return Task.CompletedTask;
    }

    // Requests still come in and are refused as not processed, which tells a caller more than a missing handler does.
    // A signal has no caller to tell, so it must stop coming.
    public Task DrainAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var subscription in _mine.Where(s => s.Kind == MessageKind.Signal))
            {
                network.Signals.Remove(subscription);
            }
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var subscription in _mine)
            {
                network.TableOf(subscription.Kind).Remove(subscription);
            }

            _mine = [];
        }

        network.Nodes.TryRemove(_context.NodeId, out _);
        // Requests that wait still get their answers: those come from nodes of the same process.
        return Task.CompletedTask;
    }

    public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _mine.AddRange(subscriptions);
        }

        foreach (var kind in subscriptions.GroupBy(s => s.Kind))
        {
            network.TableOf(kind.Key).Add([.. kind]);
        }

        return Task.CompletedTask;
    }

    public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _mine.Remove(subscription);
        }

        network.TableOf(subscription.Kind).Remove(subscription);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeInfo>>([.. network.Nodes.Values.Select(node => node.Describe())]);

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        var groups = network.Requests.Match(request.Topic).Groups;
        if (groups.IsEmpty)
        {
            return new(ReplyMessage.NoHandler(request.Topic));
        }

        var call = InMemoryCall.To(groups.Length, cancellationToken);
        foreach (var group in groups)
        {
            call.Begin(group.Offer(request));
        }

        return call.Answer();
    }

    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken)
    {
        var match = network.Signals.Match(signal.Topic);
        var receivers = 0;
        foreach (var individual in match.Individuals)
        {
            receivers += Deliver(individual.Offer(signal));
        }

        foreach (var group in match.Groups)
        {
            receivers += Deliver(group.Offer(signal));
        }

        return new(new SignalResult(receivers));
    }

    private static int Deliver(Delivery delivery)
    {
        if (!delivery.IsAccepted)
        {
            delivery.ReportLoss();
            return 0;
        }

        ThreadPool.UnsafeQueueUserWorkItem(static d => Run(d), delivery, preferLocal: false);
        return 1;
    }

    // RunAsync never throws and reports its own failures, so its outcome is not looked at.
    private static async void Run(Delivery delivery) => await delivery.RunAsync().ConfigureAwait(false);
}
