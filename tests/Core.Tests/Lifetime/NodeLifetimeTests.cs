using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class NodeLifetimeTests
{
    private static readonly RequestTopic<int, int> s_slow = new("slow");

    private readonly FakeTimeProvider _clock = new();
    private readonly ScriptedTransport _transport = new();

    [Test]
    public async Task The_node_starts_and_stops_its_transport_in_order()
    {
        var node = await TestNode.StartAsync(_transport.AddTo);
        var id = node.Bus.DescribeNode().Id;
        await node.DisposeAsync().Soon();
        Assert.That(_transport.Calls, Is.EqualTo(new[] { "start", "subscribe", "drain", "stop" }));
        Assert.That(_transport.Context!.NodeId, Is.EqualTo(id));
    }

    [Test]
    public async Task A_start_that_fails_half_way_disconnects_and_throws_the_cause()
    {
        _transport.OnSubscribe = () => throw new TransportException("subscribing is not allowed");
        var builder = Host.CreateEmptyApplicationBuilder(new());
        _transport.AddTo(builder.Services.AddServiceMesh());
        using var host = builder.Build();
        Assert.That(async () => await host.StartAsync().Soon(), Throws.TypeOf<TransportException>());
        Assert.That(_transport.Calls, Does.Contain("stop"), "by the start itself, whether or not the host is disposed");
    }

    [Test]
    public async Task A_stopping_host_finishes_requests_in_flight_and_refuses_new_ones()
    {
        var (entered, release) = (Failsafe.Signal(), Failsafe.Signal());
        await using var node = await StartSlowAsync(entered, _ => release.Task);
        using var releasing = release.ReleasedAtEnd();
        var running = node.Bus.RequestAsync(s_slow, 1);
        await entered.Task.Soon();
        var stopping = node.StopAsync();
        await Failsafe.Until(() => node.Bus.DescribeNode().IsDraining);

        var refused = await node.Bus.TryRequestAsync(s_slow, 2).Soon();
        Assert.That((refused.Status, refused.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(
            async () => await node.Bus.SubscribeAsync(new RequestTopic<int, int>("late"), (x, _) => Task.FromResult(x)),
            Throws.InvalidOperationException);
        Assert.That(stopping.IsCompleted, Is.False);

        release.SetResult();
        Assert.That(await running.Soon(), Is.EqualTo(1));
        await stopping.Soon();
    }

    [Test]
    public async Task After_the_drain_timeout_handlers_are_cancelled_and_callers_get_a_reply()
    {
        var entered = Failsafe.Signal();
        await using var node = await StartSlowAsync(entered, token => Task.Delay(Timeout.Infinite, token));
        var running = node.Bus.TryRequestAsync(s_slow, 1, new RequestOptions { Timeout = TimeSpan.FromHours(1) });
        await entered.Task.Soon();
        var stopping = node.StopAsync();
        await Failsafe.Until(
            () => node.Log.Has(LogLevel.Information, "drains: it refuses new messages and waits up to 00:00:20 for 1 in flight"));
        await Failsafe.Until(() => node.Bus.DescribeNode().IsDraining);
        await AdvanceUntilAsync(TimeSpan.FromSeconds(20), stopping);
        var reply = await running.Soon();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, false)));
        Assert.That(node.Log.Has(LogLevel.Warning, "waited 00:00:20 and cancels 1 messages"), Is.True);
    }

    [Test]
    public async Task Handlers_that_ignore_their_token_are_abandoned_after_a_second_and_counted()
    {
        var (entered, release) = (Failsafe.Signal(), Failsafe.Signal());
        await using var node = await StartSlowAsync(entered, _ => release.Task);
        using var releasing = release.ReleasedAtEnd();
        var running = node.Bus.TryRequestAsync(s_slow, 1, new RequestOptions { Timeout = TimeSpan.FromHours(1) });
        await entered.Task.Soon();
        var stopping = node.StopAsync();
        await Failsafe.Until(() => node.Bus.DescribeNode().IsDraining);
        await AdvanceUntilAsync(TimeSpan.FromSeconds(21), stopping);
        Assert.That((await running.Soon()).Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(node.Log.Has(LogLevel.Warning, "stops with 1 handlers that do not react"), Is.True);
        release.SetResult();
    }

    [Test]
    public async Task A_transport_that_hangs_or_throws_while_stopping_does_not_block_the_host()
    {
        _transport.OnStop = _ => throw new InvalidTimeZoneException();
        await using (var node = await TestNode.StartAsync(_transport.AddTo))
        {
            await node.StopAsync().Soon();
            Assert.That(node.Log.Has(LogLevel.Error, "The transport did not stop cleanly"), Is.True);
        }

        var hanging = new ScriptedTransport { OnStop = _ => new TaskCompletionSource().Task };
        await using (var node = await TestNode.StartAsync(hanging.AddTo, services: services => services.AddSingleton<TimeProvider>(_clock)))
        {
            await AdvanceUntilAsync(TimeSpan.FromSeconds(20), node.StopAsync());
            Assert.That(node.Log.Has(LogLevel.Error, "The transport did not stop cleanly"), Is.True);
        }
    }

    [Test]
    public async Task A_transport_that_cannot_publish_reports_does_not_block_the_host()
    {
        _transport.OnSignal = async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return new(0);
        };
        await using var node = await TestNode.StartAsync(
            _transport.AddTo, [("Request:Timeout", "01:00:00")], services => services.AddSingleton<TimeProvider>(_clock));
        using var metrics = new RecordedMetrics(node.Services);
        for (var i = 0; i < 10; i++)
        {
            await node.Bus.TryRequestAsync(s_slow, i).Soon();
        }

        await AdvanceUntilAsync(TimeSpan.FromSeconds(20), node.StopAsync());
        Assert.That(metrics.Sum("servicemesh.error.reports", "servicemesh.outcome=lost"), Is.GreaterThanOrEqualTo(9));
        Assert.That(node.Log.Lines, Has.Some.Contains("An error report about slow").And.Contains("is lost"));
    }

    [Test]
    public async Task The_application_can_still_send_while_it_stops()
    {
        var last = new LastWords();
        var heard = Failsafe.Signal();
        var network = new InMemoryNetwork();
        await using var listener = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport(network).AddHandler(new SignalTopic<string>("bye"), (_, _) => heard.SetResult()));
        var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport(network), services: services => services.AddSingleton<IHostedService>(last));
        last.Bus = node.Bus;
        await node.DisposeAsync().Soon();
        await heard.Task.Soon();
    }

    [Test]
    public async Task Disposing_a_container_without_a_host_releases_all_resources()
    {
        var file = TempFile.Path();
        var services = new ServiceCollection();
        services.AddServiceMesh().AddInMemoryTransport().Configure(o => o.Errors.QueueFile = file);
        var provider = services.BuildServiceProvider();
        var queue = provider.GetRequiredService<IErrorQueue>();
        await queue.CountAsync();
        var bus = provider.GetRequiredService<IServiceBus>();
        // Disposed synchronously, as an application may do that never started a host.
        ((IDisposable)provider).Dispose();
        Assert.That(() => queue.CountAsync(), Throws.TypeOf<ObjectDisposedException>());
        Assert.That((await bus.TryRequestAsync(s_slow, 1).Soon()).Status, Is.EqualTo(StatusCode.Unavailable));
    }

    private Task<TestNode> StartSlowAsync(TaskCompletionSource entered, Func<CancellationToken, Task> work) => TestNode.StartAsync(
        bus => bus.AddInMemoryTransport().AddHandler(s_slow, async (x, context) =>
        {
            entered.TrySetResult();
            await work(context.CancellationToken);
            return x;
        }),
        services: services => services.AddSingleton<TimeProvider>(_clock));

    // The clock moves in small steps, because the code under test may start its timer a moment later; the sum is bounded.
    private async Task AdvanceUntilAsync(TimeSpan atMost, Task ended)
    {
        using var failsafe = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        for (var passed = TimeSpan.Zero; !ended.IsCompleted; await Task.Delay(1, failsafe.Token))
        {
            if (passed <= atMost + TimeSpan.FromSeconds(2))
            {
                _clock.Advance(TimeSpan.FromSeconds(0.5));
                passed += TimeSpan.FromSeconds(0.5);
            }
        }

        await ended;
    }

    private sealed class LastWords : IHostedService
    {
        public IServiceBus? Bus { get; set; }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) =>
            Bus!.SignalAsync(new SignalTopic<string>("bye"), "bye", cancellationToken);
    }
}
