using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Conformance;
using ServiceMesh.MessagePack;

namespace ServiceMesh.Core.Tests.Conformance;

/// <summary>One network in memory for each test.</summary>
public class InMemoryFactory : TransportFactory
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

/// <summary>The same, with bodies as MessagePack.</summary>
public sealed class InMemoryWithMessagePackFactory : InMemoryFactory
{
    public override IMessageSerializer Bodies { get; } = new MessagePackMessageSerializer();
}

/// <summary>Over each of the networks in memory.</summary>
public sealed class OverMemoryAttribute() : OverNetworksAttribute(typeof(InMemoryFactory), typeof(InMemoryWithMessagePackFactory));
