using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Conformance;

namespace ServiceMesh.Core.Tests.Conformance;

/// <summary>The in-memory transport passes the whole suite. One line per theme is all that a transport has to write.</summary>
public static class InMemory
{
    public class Factory : TransportFactory
    {
        private readonly InMemoryNetwork _network = new();

        public override TransportCapabilities Capabilities { get; } = new()
        {
            System = "inmemory",
            Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.OrderedDelivery
                | TransportFeatures.Cancellation | TransportFeatures.RequestsReachEveryGroup,
            ReceiverCount = ReceiverCount.Subscriptions,
            ReleasesTokens = true,
        };

        public override void AddTransport(IServiceMeshBuilder mesh) => mesh.AddInMemoryTransport(_network);
    }

    public sealed class Capability : CapabilityTests<Factory>;

    public sealed class RequestReply : RequestReplyTests<Factory>;

    public sealed class Body : BodyTests<Factory>;

    public sealed class Header : HeaderTests<Factory>;

    public sealed class Status : StatusTests<Factory>;

    public sealed class NoHandler : NoHandlerTests<Factory>;

    public sealed class Deadline : DeadlineTests<Factory>;

    public sealed class Cancellation : CancellationTests<Factory>;

    public sealed class RequestGroup : RequestGroupTests<Factory>;

    public sealed class Signal : SignalTests<Factory>;

    public sealed class Pattern : PatternTests<Factory>;

    public sealed class SignalGroup : SignalGroupTests<Factory>;

    public sealed class Limit : LimitTests<Factory>;

    public sealed class Order : OrderTests<Factory>;

    public sealed class Subscription : SubscriptionTests<Factory>;

    public sealed class Drain : DrainTests<Factory>;

    public sealed class Dispose : DisposeTests<Factory>;

    public sealed class ErrorReporting : ErrorReportTests<Factory>;

    public sealed class QueueOfErrors : ErrorQueueTests<Factory>;

    public sealed class Presence : PresenceTests<Factory>;

    public sealed class Trace : TraceTests<Factory>;

    public sealed class Composition : CompositionTests<Factory>;

    public sealed class Concurrency : ConcurrencyTests<Factory>;
}
