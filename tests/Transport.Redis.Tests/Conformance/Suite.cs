using NUnit.Framework;
using ServiceMesh.Conformance;

// Tests start servers of their own; the adapter also looks for tests only where NUnit itself is referenced.
[assembly: NonParallelizable]

namespace ServiceMesh.Redis.Tests;

/// <summary>The whole suite over a real Redis: on each wire, and where Redis runs.</summary>
public static class Suite
{
    [OverRedis]
    public sealed class Capability<T> : CapabilityTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class RequestReply<T> : RequestReplyTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class Body<T> : BodyTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Contract<T> : ContractTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Header<T> : HeaderTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Status<T> : StatusTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class NoHandler<T> : NoHandlerTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Deadline<T> : DeadlineTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Cancellation<T> : CancellationTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class RequestGroup<T> : RequestGroupTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class Signal<T> : SignalTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Pattern<T> : PatternTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class SignalGroup<T> : SignalGroupTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Limit<T> : LimitTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Order<T> : OrderTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Subscription<T> : SubscriptionTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class Drain<T> : DrainTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Dispose<T> : DisposeTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Composition<T> : CompositionTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Concurrency<T> : ConcurrencyTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class QueueOfErrors<T> : ErrorQueueTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class ErrorReport<T> : ErrorReportTests<T>
        where T : TransportFactory, new();

    [OverRedis(everywhere: true)]
    public sealed class Presence<T> : PresenceTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Trace<T> : TraceTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Context<T> : ContextTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Attempt<T> : AttemptTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class BlockedPool<T> : BlockedPoolTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class Log<T> : LogTests<T>
        where T : TransportFactory, new();

    [OverRedis]
    public sealed class EndOfLife<T> : EndOfLifeTests<T>
        where T : TransportFactory, new();
}
