using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>
/// The themes of the suite that a proxy can disturb, behind a real nginx and a real HAProxy. A long run has the whole suite behind them:
/// <see cref="OverHttpAttribute"/>.
/// </summary>
public static class ProxySuite
{
    [OverProxies]
    public sealed class RequestReply<T> : RequestReplyTests<T>
        where T : TransportFactory, new();

    [OverProxies]
    public sealed class Header<T> : HeaderTests<T>
        where T : TransportFactory, new();

    [OverProxies]
    public sealed class Cancellation<T> : CancellationTests<T>
        where T : TransportFactory, new();

    [OverProxies]
    public sealed class Signal<T> : SignalTests<T>
        where T : TransportFactory, new();

    [OverProxies]
    public sealed class Drain<T> : DrainTests<T>
        where T : TransportFactory, new();
}
