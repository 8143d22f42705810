using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>Turns handlers into subscriptions of this node and its transport, at start and at run time, and back.</summary>
internal sealed class Subscriber(
    ChosenTransport chosen, Receiver receiver, SubscriptionRegistry subscriptions, ShutdownBudget shutdown, ILogger logger)
{
    private volatile bool _transportHasStopped;

    /// <summary>What this node is subscribed to.</summary>
    public SubscriptionRegistry Subscriptions => subscriptions;

    /// <summary>Checks handlers against the transport and the node, and gives each its place. Nothing is delivered yet.</summary>
    /// <exception cref="InvalidOperationException">The transport cannot serve one, or two share a group of a topic.</exception>
    /// <exception cref="NotSupportedException">The serializer refuses a type of a handler.</exception>
    public Subscription[] Prepare(IReadOnlyCollection<HandlerDefinition> handlers, TransportFeatures required = TransportFeatures.None)
    {
        CapabilityCheck.Check(chosen.Name, chosen.Transport.Capabilities, required, receiver.Bodies, handlers);
        Subscription[] prepared = [.. handlers.Select(receiver.Subscribe)];
        subscriptions.Add(prepared);
        return prepared;
    }

    /// <summary>Begins to deliver.</summary>
    public async Task ActivateAsync(Subscription[] prepared, CancellationToken cancellationToken)
    {
        try
        {
            await chosen.Transport.SubscribeAsync(prepared, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            foreach (var subscription in prepared)
            {
                subscriptions.Remove(subscription);
            }

            throw;
        }
    }

    /// <summary>A handler that comes at run time and goes when its handle is disposed.</summary>
    public async Task<ISubscription> SubscribeAsync(HandlerDefinition handler, CancellationToken cancellationToken)
    {
        var prepared = Prepare([handler]);
        CleanContext.Enter(); // what hears for the subscription outlives its caller
        await ActivateAsync(prepared, cancellationToken).ConfigureAwait(false);
        return new Handle(this, prepared[0]);
    }

    /// <summary>The transport is being stopped: from now on it is not asked to unsubscribe.</summary>
    public void TransportStops() => _transportHasStopped = true;

    private async Task UnsubscribeAsync(Subscription subscription)
    {
        // First the transport stops delivering, so that no message is refused; then the handler finishes the messages that it has.
        if (!_transportHasStopped)
        {
            await shutdown.AttemptAsync("unsubscribe", shutdown.DrainTimeout, token =>
                chosen.Transport.UnsubscribeAsync(subscription, token)).ConfigureAwait(false);
        }

        if (!await shutdown.EndsWithinAsync(subscription.Gate.CloseAsync(), shutdown.DrainTimeout).ConfigureAwait(false))
        {
            Log.HandlersLeftBehind(logger, receiver.NodeId, subscription.Gate.InFlight);
        }

        subscriptions.Remove(subscription);
    }

    private sealed class Handle(Subscriber subscriber, Subscription subscription) : ISubscription
    {
        private TaskCompletionSource? _disposal;

        public TopicPattern Pattern => subscription.Pattern;

        public string? Group => subscription.Group;

        public async ValueTask DisposeAsync()
        {
            // The first to dispose does it; everyone else who disposes waits until it is done.
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
