using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh;
using ServiceMesh.Conformance;
using ServiceMesh.MessagePack;
using ServiceMesh.Transports;

namespace Suite;

/// <summary>A transport as its author describes it to the suite: here the in-memory one, whose nodes write MessagePack.</summary>
public sealed class NetworkFactory : TransportFactory
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

    public override IMessageSerializer Bodies { get; } = new MessagePackMessageSerializer();

    public override void AddTransport(IServiceMeshBuilder mesh) => mesh.AddInMemoryTransport(_network);
}

[TestFixture]
public sealed class RequestReply : RequestReplyTests<NetworkFactory>;
