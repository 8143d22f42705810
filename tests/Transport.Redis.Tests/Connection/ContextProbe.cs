using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>A transport that does nothing: a test takes its context, to make parts of the Redis transport by themselves.</summary>
internal sealed class ContextProbe : ITransport
{
    public TransportContext Context { get; private set; } = null!;

    public TransportCapabilities Capabilities { get; } = new() { System = "probe" };

    public static async Task<(TestNode Node, TransportContext Context)> StartAsync()
    {
        var probe = new ContextProbe();
        var node = await TestNode.StartAsync(mesh => mesh.AddTransport(new("Probe", [], _ => probe)), [("Transport", "Probe")]);
        return (node, probe.Context);
    }

    public Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        Context = context;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken) =>
        Task.CompletedTask;

    public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken) => Task.CompletedTask;
}
