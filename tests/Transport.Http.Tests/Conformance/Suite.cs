using NUnit.Framework;
using ServiceMesh.Conformance;

// Each node of a test has a port of its own; the adapter also looks for tests only where NUnit itself is referenced.
[assembly: NonParallelizable]

namespace ServiceMesh.Http.Tests;

/// <summary>The whole suite over HTTP: each version, with and without TLS, and with MessagePack.</summary>
public static class Suite
{
    [OverHttp]
    public sealed class Capability<T> : CapabilityTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class RequestReply<T> : RequestReplyTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class Body<T> : BodyTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class Contract<T> : ContractTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Header<T> : HeaderTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Status<T> : StatusTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class NoHandler<T> : NoHandlerTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Deadline<T> : DeadlineTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Cancellation<T> : CancellationTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class RequestGroup<T> : RequestGroupTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class Signal<T> : SignalTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Pattern<T> : PatternTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class SignalGroup<T> : SignalGroupTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Limit<T> : LimitTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Order<T> : OrderTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Subscription<T> : SubscriptionTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class Drain<T> : DrainTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Dispose<T> : DisposeTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class ErrorReporting<T> : ErrorReportTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class QueueOfErrors<T> : ErrorQueueTests<T>
        where T : TransportFactory, new();

    [OverHttp(everywhere: true)]
    public sealed class Presence<T> : PresenceTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Trace<T> : TraceTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Composition<T> : CompositionTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Concurrency<T> : ConcurrencyTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Context<T> : ContextTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Attempt<T> : AttemptTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class BlockedPool<T> : BlockedPoolTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class Log<T> : LogTests<T>
        where T : TransportFactory, new();

    [OverHttp]
    public sealed class EndOfLife<T> : EndOfLifeTests<T>
        where T : TransportFactory, new();
}
