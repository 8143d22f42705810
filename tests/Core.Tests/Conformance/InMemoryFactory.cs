using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Conformance;
using ServiceMesh.MessagePack;

namespace ServiceMesh.Core.Tests.Conformance;

#region factory
/// <summary>An in-memory network for each test.</summary>
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
#endregion

/// <summary>An in-memory network whose nodes write MessagePack.</summary>
public sealed class InMemoryWithMessagePackFactory : InMemoryFactory
{
    public override IMessageSerializer Bodies { get; } = new MessagePackMessageSerializer();
}

/// <summary>Runs a theme of the suite over each in-memory network.</summary>
public sealed class OverMemoryAttribute() : OverNetworksAttribute(typeof(InMemoryFactory), typeof(InMemoryWithMessagePackFactory));
