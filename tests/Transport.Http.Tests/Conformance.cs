using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

// Each node of a test has a port of its own; the adapter also looks for tests only where NUnit itself is referenced.
[assembly: NonParallelizable]

namespace ServiceMesh.Http.Tests;

/// <summary>The whole suite over real sockets. All nodes have one list of addresses, their own among them, as replicas do.</summary>
public abstract class HttpFactory : TransportFactory
{
    // One more than any test starts.
    private const int Nodes = 9;

    private readonly int[] _ports = [.. Enumerable.Repeat(0, 4 * Nodes).Select(_ => FreePort.Next()).Distinct().Take(Nodes)];

    protected abstract string Scheme { get; }

    public override TransportCapabilities Capabilities { get; } = new()
    {
        System = "http",
        Features = TransportFeatures.Patterns | TransportFeatures.SignalGroups | TransportFeatures.Cancellation,
        ReceiverCount = ReceiverCount.Subscriptions,
    };

    public override void AddTransport(IServiceMeshBuilder mesh) => mesh.AddHttpTransport();

    public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
    [
        ("Transport", "Http"),
        ("Http:Listen", $"{Scheme}://{IPAddress.Loopback}:{_ports[node]}"),
        ("Http:Services:mesh:Address", $"static:{string.Join(',', _ports.Select(port => $"{IPAddress.Loopback}:{port}"))}"),
    ];

    // Nodes find each other within a round trip or two, which no event tells a test of.
    public override async Task SettleAsync(IReadOnlyList<MeshNode> running)
    {
        var ids = running.Select(node => node.Id).ToHashSet();
        foreach (var node in running)
        {
            await Failsafe.UntilAsync(async () => ids.SetEquals((await node.Bus.ListNodesAsync()).Select(n => n.Id)));
        }
    }
}

public static class Http1
{
    public sealed class Factory : HttpFactory
    {
        protected override string Scheme => "http";
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

/// <summary>The suite once more, with bodies as MessagePack.</summary>
public static class Http1WithMessagePack
{
    public sealed class Factory : HttpFactory
    {
        public override IMessageSerializer Bodies { get; } = new MessagePackMessageSerializer();

        protected override string Scheme => "http";
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

public static class CleartextHttp2
{
    public sealed class Factory : HttpFactory
    {
        protected override string Scheme => "h2c";

        public override IEnumerable<(string Key, string Value)> SettingsOf(int node) => [.. base.SettingsOf(node), ("Http:Services:mesh:Http2", "true")];
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

public static class Https
{
    public sealed class Factory : HttpFactory, IDisposable
    {
        private TestCertificates? _certificates;

        protected override string Scheme => "https";

        public override IEnumerable<(string Key, string Value)> SettingsOf(int node) =>
        [
            .. base.SettingsOf(node),
            ("Http:Services:mesh:Tls", "true"),
            ("Http:Tls:Certificate", Certificates.Server),
            ("Http:Tls:CertificateKey", Certificates.ServerKey),
            ("Http:Tls:TrustedRoots", Certificates.Authority),
        ];

        private TestCertificates Certificates => _certificates ??= new();

        public override Task StopAsync()
        {
            Dispose();
            return Task.CompletedTask;
        }

        public void Dispose() => _certificates?.Dispose();
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
