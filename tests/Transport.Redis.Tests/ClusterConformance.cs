using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>
/// The whole suite over a real Redis Cluster. One serves the whole run; each test has channels and keys of its own by
/// their prefix, so what a test leaves behind is nobody's.
/// </summary>
public sealed class ClusterFactory : TransportFactory
{
    private readonly string _prefix = $"test{Guid.NewGuid():N}";
    private RedisCluster _cluster = null!;

    public override TransportCapabilities Capabilities { get; } = new()
    {
        System = "redis",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.OrderedDelivery
            | TransportFeatures.Cancellation | TransportFeatures.RequestsReachEveryGroup,
        ReceiverCount = ReceiverCount.Deliveries,
        MaxBodyBytes = 500 * 1024 * 1024,
    };

    public override async Task StartAsync() => _cluster = await SharedServers.ClusterAsync();

    public override Task StopAsync() => _cluster.FlushAsync();

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [("Transport", "Redis"), ("Redis:Configuration", _cluster.Configuration), ("Redis:KeyPrefix", _prefix)];

    public override void AddTransport(IServiceMeshBuilder mesh) => mesh.AddRedisTransport();
}

[Category("Cluster")]
public static class Cluster
{
    public sealed class Capability : CapabilityTests<ClusterFactory>;

    public sealed class RequestReply : RequestReplyTests<ClusterFactory>;

    public sealed class Body : BodyTests<ClusterFactory>;

    public sealed class Header : HeaderTests<ClusterFactory>;

    public sealed class Status : StatusTests<ClusterFactory>;

    public sealed class NoHandler : NoHandlerTests<ClusterFactory>;

    public sealed class Deadline : DeadlineTests<ClusterFactory>;

    public sealed class Cancellation : CancellationTests<ClusterFactory>;

    public sealed class RequestGroup : RequestGroupTests<ClusterFactory>;

    public sealed class Signal : SignalTests<ClusterFactory>;

    public sealed class Pattern : PatternTests<ClusterFactory>;

    public sealed class SignalGroup : SignalGroupTests<ClusterFactory>;

    public sealed class Limit : LimitTests<ClusterFactory>;

    public sealed class Order : OrderTests<ClusterFactory>;

    public sealed class Subscription : SubscriptionTests<ClusterFactory>;

    public sealed class Drain : DrainTests<ClusterFactory>;

    public sealed class Dispose : DisposeTests<ClusterFactory>;

    public sealed class Composition : CompositionTests<ClusterFactory>;

    public sealed class Concurrency : ConcurrencyTests<ClusterFactory>;

    public sealed class QueueOfErrors : ErrorQueueTests<ClusterFactory>;

    public sealed class ErrorReport : ErrorReportTests<ClusterFactory>;

    public sealed class Presence : PresenceTests<ClusterFactory>;

    public sealed class Trace : TraceTests<ClusterFactory>;
}
