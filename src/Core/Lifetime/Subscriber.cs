namespace ServiceMesh;

/// <summary>Turns handlers into subscriptions of this node and its transport, at start and at run time, and back.</summary>
internal sealed class Subscriber(Node node, ITransport transport, string transportName)
{
    /// <summary>Checks handlers against the transport and the node, and gives each its place. Nothing is delivered yet.</summary>
    /// <exception cref="InvalidOperationException">The transport cannot serve one, or two share a group of a topic.</exception>
    public Subscription[] Prepare(IReadOnlyCollection<HandlerDefinition> handlers, TransportFeatures required = TransportFeatures.None)
    {
        CapabilityCheck.Check(transportName, transport.Capabilities, required, node.Options, handlers);
        Subscription[] subscriptions = [.. handlers.Select(h => new Subscription(node, h))];
        node.Subscriptions.Add(subscriptions);
        return subscriptions;
    }

    /// <summary>Begins to deliver.</summary>
    public async Task ActivateAsync(Subscription[] subscriptions, CancellationToken cancellationToken)
    {
        try
        {
            await transport.SubscribeAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            foreach (var subscription in subscriptions)
            {
                node.Subscriptions.Remove(subscription);
            }

            throw;
        }
    }

    /// <summary>A handler that comes at run time and goes when its handle is disposed.</summary>
    public async Task<ISubscription> SubscribeAsync(HandlerDefinition handler, CancellationToken cancellationToken)
    {
        var subscriptions = Prepare([handler]);
        await ActivateAsync(subscriptions, cancellationToken).ConfigureAwait(false);
        return new Handle(this, subscriptions[0]);
    }

    private async Task UnsubscribeAsync(Subscription subscription)
    {
        // First out of the way of new messages, so that none is refused; then wait for those that are in.
        if (!node.IsStopped)
        {
            await node.AttemptAsync("unsubscribe", node.Options.DrainTimeout, token => transport.UnsubscribeAsync(subscription, token)).ConfigureAwait(false);
        }

        if (!await node.EndsWithinAsync(subscription.Gate.CloseAsync(), node.Options.DrainTimeout).ConfigureAwait(false))
        {
            Log.HandlersLeftBehind(node.Logger, node.Id, subscription.Gate.InFlight);
        }

        node.Subscriptions.Remove(subscription);
    }

    private sealed class Handle(Subscriber subscriber, Subscription subscription) : ISubscription
    {
        private TaskCompletionSource? _disposal;

        public TopicPattern Pattern => subscription.Pattern;

        public string? Group => subscription.Group;

        public async ValueTask DisposeAsync()
        {
            // The first to dispose does it; everybody who disposes waits until it is done.
            var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _disposal, mine, null) is { } others)
            {
                await others.Task.ConfigureAwait(false);
                return;
            }

            try
            {
                await subscriber.UnsubscribeAsync(subscription).ConfigureAwait(false);
            }
            finally
            {
                mine.SetResult();
            }
        }
    }
}
