using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>A node that says nothing of where it listens does so when it has something to hear, once, and never after its end.</summary>
public sealed class ListeningTests
{
    [Test]
    public async Task A_node_that_only_subscribes_to_error_reports_listens()
    {
        var port = FreePort.Next();
        await using var node = await StartAsync(port, mesh => mesh.AddHandler(MeshTopics.Errors, (_, _) => { }));

        Assert.That(node.Log.Lines.Count(l => l.Contains($"listens on http://127.0.0.1:{port}", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    [Test]
    public async Task The_start_line_says_where_the_node_listens()
    {
        var port = FreePort.Next();
        await using var listening = await StartAsync(port, mesh => mesh.AddHandler(MeshTopics.Errors, (_, _) => { }));
        await using var silent = await StartAsync(FreePort.Next());

        Assert.That(
            listening.Log.Lines,
            Has.Some.Contains($"started on the Http transport (http://127.0.0.1:{port}) and is subscribed to mesh.errors"));
        Assert.That(
            silent.Log.Lines,
            Has.Some.Contains("started on the Http transport (no server of its own) and is subscribed to nothing"));
    }

    [Test]
    public async Task Concurrent_first_subscriptions_start_one_server()
    {
        var port = FreePort.Next();
        await using var node = await StartAsync(port);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(
            () => node.Bus.SubscribeAsync(new SignalTopic<string>($"test.news.{i}"), (_, _) => Task.CompletedTask)))).InTime();

        Assert.That(node.Log.Lines.Count(l => l.Contains($"listens on http://127.0.0.1:{port}", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    [Test]
    public async Task A_node_that_only_sends_requests_opens_no_port()
    {
        var port = FreePort.Next();
        await using var node = await StartAsync(port);

        Assert.That(
            (node.Log.Lines.Any(l => l.Contains("listens on", StringComparison.Ordinal)), await IsOpenAsync(port)),
            Is.EqualTo((false, false)));
    }

    [Test]
    public async Task A_subscription_that_races_the_stop_leaves_no_server_behind()
    {
        var port = FreePort.Next();
        Late? transport = null;
        var node = await StartAsync(port, wrap: inner => transport = new(inner));
        var subscribing = node.Bus.SubscribeAsync(HttpNodes.News, (_, _) => Task.CompletedTask);
        await transport!.Entered.InTime();

        await node.StopAsync().InTime();
        transport.Go();

        Assert.That(async () => await subscribing.InTime(), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(await IsOpenAsync(port), Is.False);
        await node.DisposeAsync();
    }

    private static Task<TestNode> StartAsync(
        int port, Action<IServiceMeshBuilder>? configure = null, Func<ITransport, ITransport>? wrap = null) => TestNode.StartAsync(
        mesh =>
        {
            mesh.AddTransport(new("Http", [], provider => (wrap ?? (t => t))(new HttpTransport(
                new(
                    new(),
                    new(),
                    null,
                    provider.GetRequiredService<IMeterFactory>(),
                    new(),
                    provider)
                { ListenOn = ListenAddress.ParseAll($"http://127.0.0.1:{port}") }))));
            configure?.Invoke(mesh);
        },
        [("Transport", "Http"), ("DrainTimeout", "00:00:05"), ("ErrorPolicy", "Ignore")]);

    private static async Task<bool> IsOpenAsync(int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port).InTime();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Holds what is subscribed at run time until the test lets it go.</summary>
    private sealed class Late(ITransport inner) : ITransport
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _calls;

        public Task Entered => _entered.Task;

        public TransportCapabilities Capabilities => inner.Capabilities;

        public void Go() => _go.SetResult();

        public Task StartAsync(ServiceMesh.Transports.TransportContext context, CancellationToken cancellationToken) =>
            inner.StartAsync(context, cancellationToken);

        public Task DrainAsync(CancellationToken cancellationToken) => inner.DrainAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => inner.StopAsync(cancellationToken);

        public ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken) =>
            inner.RequestAsync(request, cancellationToken);

        public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) =>
            inner.SignalAsync(signal, cancellationToken);

        public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) => inner.ListNodesAsync(cancellationToken);

        public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            inner.UnsubscribeAsync(subscription, cancellationToken);

        public async Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
        {
            if (Interlocked.Increment(ref _calls) > 1)
            {
                _entered.SetResult();
                await _go.Task;
            }

            await inner.SubscribeAsync(subscriptions, cancellationToken);
        }
    }
}
