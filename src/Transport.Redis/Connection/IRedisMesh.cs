namespace ServiceMesh.Redis;

/// <summary>One way of speaking over Redis: the native wire with its inboxes, or the protocol of Gilmour.</summary>
internal interface IRedisMesh : IConnectionUser
{
    /// <summary>The requests of this node that wait for their reply.</summary>
    int Waiting { get; }

    /// <summary>Subscribes to what the node itself needs, on a connection that is there or will be.</summary>
    Task StartAsync(CancellationToken cancellationToken);

    Task DrainAsync(CancellationToken cancellationToken);

    Task StopAsync(CancellationToken cancellationToken);

    ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken);

    ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken);

    Task<IReadOnlyList<NodeInfo>> ListAsync(CancellationToken cancellationToken);

    Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken);

    Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken);
}
