using Microsoft.Extensions.DependencyInjection;
using ServiceMesh;
using ServiceMesh.Transports;

namespace Snippets;

#region transport
/// <summary>The smallest possible transport: every message that a node sends comes back to the node itself.</summary>
public sealed class LoopbackTransport : ITransport
{
    private readonly SubscriptionTable _requests = new();
    private readonly SubscriptionTable _signals = new();

    public TransportCapabilities Capabilities { get; } = new()
    {
        System = "loopback",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.OrderedDelivery
            | TransportFeatures.Cancellation,
        ReceiverCount = ReceiverCount.Subscriptions,
    };

    private TransportContext? _context;

    public Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        _context = context;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeInfo>>([_context!.Describe()]);

    public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        foreach (var kind in subscriptions.GroupBy(subscription => subscription.Kind))
        {
            TableOf(kind.Key).Add([.. kind]);
        }

        return Task.CompletedTask;
    }

    public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        TableOf(subscription.Kind).Remove(subscription);
        return Task.CompletedTask;
    }

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
    {
        var groups = _requests.Match(request.Topic).Groups;
        if (groups.IsEmpty)
        {
            return new(ReplyMessage.NoHandler(request.Topic));
        }

        // One member of one group: this transport does not declare RequestsReachEveryGroup.
        var delivery = groups[0].Offer(request);
        return delivery.IsAccepted ? new(RunAsync(delivery, cancellationToken)) : new(delivery.Refusal!);
    }

    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken)
    {
        var match = _signals.Match(signal.Topic);
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

    private SubscriptionTable TableOf(MessageKind kind) => kind == MessageKind.Request ? _requests : _signals;

    // The caller stops waiting at once. The delivery has the same token and ends by itself.
    private static Task<ReplyMessage> RunAsync(Delivery delivery, CancellationToken callerGone) =>
        Task.Run(() => delivery.RunAsync(callerGone).AsTask(), CancellationToken.None).WaitAsync(callerGone);

    private static int Deliver(Delivery delivery)
    {
        if (!delivery.IsAccepted)
        {
            delivery.ReportLoss();
            return 0;
        }

        _ = Task.Run(() => delivery.RunAsync().AsTask());
        return 1;
    }
}
#endregion

public static class LoopbackTransportExtensions
{
    #region registration
    public static IServiceMeshBuilder AddLoopbackTransport(this IServiceMeshBuilder mesh) =>
        mesh.AddTransport(new TransportRegistration("Loopback", Keys: [], _ => new LoopbackTransport()));
    #endregion
}
