using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

// Each test starts a server of its own; the adapter also looks for tests only where NUnit itself is referenced.
[assembly: NonParallelizable]

namespace ServiceMesh.Redis.Tests;

/// <summary>The whole suite over a real Redis. Each test has a server's worth of channels of its own.</summary>
public abstract class RedisFactory : TransportFactory
{
    private RedisServer _server = null!;

    protected abstract string Wire { get; }

    public override TransportCapabilities Capabilities { get; } = new()
    {
        System = "redis",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.OrderedDelivery
            | TransportFeatures.Cancellation | TransportFeatures.RequestsReachEveryGroup,
        ReceiverCount = ReceiverCount.Deliveries,
        MaxBodyBytes = 500 * 1024 * 1024,
    };

    public override async Task StartAsync() => _server = await RedisServer.StartAsync();

    public override async Task StopAsync() => await _server.DisposeAsync();

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [("Transport", "Redis"), ("Redis:Configuration", _server.Address), ("Redis:Wire", Wire)];

    public override void AddTransport(IServiceMeshBuilder mesh) => mesh.AddRedisTransport();
}

public static class Native
{
    public sealed class Factory : RedisFactory
    {
        protected override string Wire => "Native";
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

    public sealed class Composition : CompositionTests<Factory>;

    public sealed class Concurrency : ConcurrencyTests<Factory>;

    public sealed class QueueOfErrors : ErrorQueueTests<Factory>;

    public sealed class ErrorReport : ErrorReportTests<Factory>;

    public sealed class Presence : PresenceTests<Factory>;

    public sealed class Trace : TraceTests<Factory>;
}

public static class Gilmour
{
    public sealed class Factory : RedisFactory
    {
        protected override string Wire => "Gilmour";

        public override bool CarriesAnyBody => false;
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

    public sealed class Composition : CompositionTests<Factory>;

    public sealed class Concurrency : ConcurrencyTests<Factory>;

    public sealed class QueueOfErrors : ErrorQueueTests<Factory>;

    public sealed class ErrorReport : ErrorReportTests<Factory>;

    public sealed class Presence : PresenceTests<Factory>;

    public sealed class Trace : TraceTests<Factory>;
}
