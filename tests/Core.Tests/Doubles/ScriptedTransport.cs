using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;

namespace ServiceMesh.Core.Tests;

/// <summary>A transport whose behaviour the test scripts, to show how the bus reacts to it.</summary>
internal sealed class ScriptedTransport : ITransport
{
    public TransportCapabilities Capabilities { get; set; } = new() { System = "scripted", Features = (TransportFeatures)63 };

    public TransportHealth Health { get; set; } = TransportHealth.Healthy;

    public ConcurrentQueue<string> Calls { get; } = new();

    public List<Subscription> Subscriptions { get; } = [];

    public Func<Message, CancellationToken, ValueTask<ReplyMessage>> OnRequest { get; set; } =
        (request, _) => new(ReplyMessage.NoHandler(request.Topic));

    public Func<Message, CancellationToken, ValueTask<SignalResult>> OnSignal { get; set; } = (_, _) => new(new SignalResult(0));

    public Func<Task> OnSubscribe { get; set; } = () => Task.CompletedTask;

    public Func<CancellationToken, Task> OnStop { get; set; } = _ => Task.CompletedTask;

    public TransportContext? Context { get; private set; }

    public void AddTo(IServiceMeshBuilder builder) =>
        builder.AddTransport(new("Scripted", [], _ => this)).Configure(o => o.Transport = "Scripted");

    public Task StartAsync(TransportContext context, CancellationToken cancellationToken)
    {
        Calls.Enqueue("start");
        Context = context;
        return Task.CompletedTask;
    }

    public Task DrainAsync(CancellationToken cancellationToken)
    {
        Calls.Enqueue("drain");
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeInfo>>([]);

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Calls.Enqueue("stop");
        return OnStop(cancellationToken);
    }

    public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken) =>
        OnRequest(request, cancellationToken);

    public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) => OnSignal(signal, cancellationToken);

    public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        Calls.Enqueue("subscribe");
        Subscriptions.AddRange(subscriptions);
        return OnSubscribe();
    }

    public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        Calls.Enqueue("unsubscribe");
        Subscriptions.Remove(subscription);
        return Task.CompletedTask;
    }

    public static ReplyMessage Answer(string json) =>
        new() { Status = StatusCode.Ok, ContentType = "application/json", Body = System.Text.Encoding.UTF8.GetBytes(json) };
}
