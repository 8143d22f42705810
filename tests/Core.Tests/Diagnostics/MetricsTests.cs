using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class MetricsTests
{
    private const string System = "messaging.system=inmemory";

    private static readonly RequestTopic<string, string> s_ok = new("metrics.ok");
    private static readonly RequestTopic<string, string> s_unhandled = new("metrics.unhandled");
    private static readonly SignalTopic<string> s_signal = new("metrics.signal");

    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task Every_instrument_has_its_name_and_unit()
    {
        await using var node = await StartAsync();
        using var metrics = new RecordedMetrics(node.Services);
        Assert.That(metrics.Units, Is.EquivalentTo(new Dictionary<string, string?>
        {
            ["messaging.client.operation.duration"] = "s",
            ["messaging.process.duration"] = "s",
            ["messaging.client.sent.messages"] = "{message}",
            ["messaging.client.consumed.messages"] = "{message}",
            ["servicemesh.rejected.messages"] = "{message}",
            ["servicemesh.dropped.messages"] = "{message}",
            ["servicemesh.error.reports"] = "{report}",
            ["servicemesh.requests.in_flight"] = "{request}",
            ["servicemesh.handlers.in_flight"] = "{message}",
            ["servicemesh.handlers.queued"] = "{message}",
        }));
    }

    [Test]
    public async Task The_topics_of_a_node_are_one_series_whatever_its_id_is()
    {
        await using var node = await StartAsync();
        using var metrics = new RecordedMetrics(node.Services);

        await node.Bus.RequestAsync(MeshTopics.Node(node.Bus.DescribeNode().Id), Unit.Value).Soon();

        Assert.That(metrics.Sum("messaging.client.sent.messages", "messaging.destination.name=mesh.node.*"), Is.EqualTo(1));
        Assert.That(metrics.Sum("messaging.client.consumed.messages", "messaging.destination.name=mesh.node.*"), Is.EqualTo(1));
        Assert.That(metrics.Observe("servicemesh.handlers.in_flight").Select(m => m.Tags), Has.None.Contains(node.Bus.DescribeNode().Id));
    }

    [Test]
    public async Task A_request_is_sent_consumed_and_timed_on_both_sides()
    {
        await using var node = await StartAsync(bus => bus.AddHandler(s_ok, (input, _) =>
        {
            _clock.Advance(TimeSpan.FromSeconds(2));
            return input;
        }));
        using var metrics = new RecordedMetrics(node.Services);
        await node.Bus.RequestAsync(s_ok, "x").Soon();
        var sent = $"{System} messaging.operation.name=request messaging.operation.type=send messaging.destination.name=metrics.ok";
        var processed = $"{System} messaging.operation.name=process messaging.operation.type=process " +
            "messaging.destination.name=metrics.ok messaging.consumer.group.name=_default";
        AssertOne(metrics, "messaging.client.sent.messages", 1, sent);
        AssertOne(metrics, "messaging.client.operation.duration", 2, sent);
        AssertOne(metrics, "messaging.client.consumed.messages", 1, processed);
        AssertOne(metrics, "messaging.process.duration", 2, processed);
    }

    [Test]
    public async Task A_failed_request_has_its_status_as_the_error_type()
    {
        await using var node = await StartAsync(bus => bus.AddHandler(s_ok, (string input, HandlerContext _) =>
            input.Length < 0 ? input : throw new InvalidOperationException()));
        using var metrics = new RecordedMetrics(node.Services);
        await node.Bus.TryRequestAsync(s_ok, "x").Soon();
        await node.Bus.TryRequestAsync(s_unhandled, "x").Soon();
        await Assert.CatchAsync<OperationCanceledException>(() => node.Bus.RequestAsync(s_ok, "x", new CancellationToken(true)).Soon());
        Assert.That(metrics.Of("messaging.client.operation.duration").Select(m => m.Tags.Split(' ')[^1]), Is.EqualTo(new[]
        {
            "error.type=500", "error.type=404", "error.type=cancelled",
        }));
        Assert.That(metrics.Of("messaging.process.duration").Single().Tags, Does.EndWith("error.type=500"));
    }

    [Test]
    public async Task A_signal_to_a_pattern_is_counted_by_its_template()
    {
        var heard = Failsafe.Signal();
        await using var node = await StartAsync(bus => bus.AddHandler(new SignalPattern<string>("metrics.*"), (_, _) => heard.SetResult()));
        using var metrics = new RecordedMetrics(node.Services);
        await node.Bus.SignalAsync(s_signal, "x").Soon();
        await heard.Task.Soon();
        AssertOne(metrics, "messaging.client.sent.messages", 1,
            $"{System} messaging.operation.name=signal messaging.operation.type=send messaging.destination.name=metrics.signal");
        AssertOne(metrics, "messaging.client.consumed.messages", 1,
            $"{System} messaging.operation.name=process messaging.operation.type=process messaging.destination.template=metrics.*");
    }

    [Test]
    public async Task Running_queued_and_refused_messages_are_counted()
    {
        var (release, entered) = (Failsafe.Signal(), Failsafe.Signal());
        await using var node = await StartAsync(bus => bus.AddHandler(s_ok, async (input, _) =>
        {
            entered.TrySetResult();
            await release.Task;
            return input;
        }, o => (o.MaxConcurrency, o.MaxQueued) = (1, 1)));
        using var releasing = release.ReleasedAtEnd();
        using var metrics = new RecordedMetrics(node.Services);
        var running = node.Bus.RequestAsync(s_ok, "1");
        await entered.Task.Soon();
        var queued = node.Bus.RequestAsync(s_ok, "2");
        Assert.That((await node.Bus.TryRequestAsync(s_ok, "3").Soon()).Status, Is.EqualTo(StatusCode.Overloaded));

        const string Handler = $"{System} messaging.destination.template=metrics.ok messaging.consumer.group.name=_default";
        AssertOne(
            metrics,
            "servicemesh.rejected.messages",
            1,
            $"{System} messaging.destination.template=metrics.ok servicemesh.reason=overloaded");
        Assert.That(
            metrics.Observe("servicemesh.handlers.in_flight"),
            Does.Contain(new RecordedMetrics.Measured("servicemesh.handlers.in_flight", 1, Handler)));
        Assert.That(
            metrics.Observe("servicemesh.handlers.queued"),
            Does.Contain(new RecordedMetrics.Measured("servicemesh.handlers.queued", 1, Handler)));
        Assert.That(
            metrics.Observe("servicemesh.requests.in_flight").Single(),
            Is.EqualTo(new RecordedMetrics.Measured("servicemesh.requests.in_flight", 2, System)));

        release.SetResult();
        await Task.WhenAll(running, queued).Soon();
        Assert.That(metrics.Observe("servicemesh.handlers.in_flight").Select(m => m.Value), Has.All.Zero);
        Assert.That(metrics.Observe("servicemesh.handlers.queued").Select(m => m.Value), Has.All.Zero);
        Assert.That(metrics.Observe("servicemesh.requests.in_flight").Single().Value, Is.Zero);
    }

    [Test]
    public async Task Requests_in_flight_return_to_zero_however_a_request_ends()
    {
        await using var node = await StartAsync();
        using var metrics = new RecordedMetrics(node.Services);
        await node.Bus.TryRequestAsync(s_unhandled, "x").Soon();
        await Assert.CatchAsync<OperationCanceledException>(
            () => node.Bus.RequestAsync(s_unhandled, "x", new CancellationToken(true)).Soon());
        await Assert.CatchAsync<NotSupportedException>(() => node.Bus.RequestAsync(new RequestTopic<Action, int>("a"), () => { }).Soon());
        Assert.That(metrics.Observe("servicemesh.requests.in_flight").Single().Value, Is.Zero);
    }

    [TestCase(ErrorPolicy.Ignore, "ignored")]
    [TestCase(ErrorPolicy.Publish, "unheard")]
    [TestCase(ErrorPolicy.Queue, "filed")]
    public async Task Reports_are_counted_by_their_outcome(ErrorPolicy policy, string outcome)
    {
        await using var node = await StartAsync(null, ("ErrorPolicy", $"{policy}"), ("Errors:QueueFile", TempFile.Path()));
        using var metrics = new RecordedMetrics(node.Services);
        await node.Bus.TryRequestAsync(s_unhandled, "x").Soon();
        await node.StopAsync().Soon();
        AssertOne(metrics, "servicemesh.error.reports", 1, $"{System} servicemesh.outcome={outcome}");
    }

    [Test]
    public async Task A_published_report_that_a_subscriber_receives_is_counted_as_filed()
    {
        await using var node = await StartAsync(bus => bus.AddHandler(MeshTopics.Errors, (_, _) => { }), ("ErrorPolicy", "Publish"));
        using var metrics = new RecordedMetrics(node.Services);
        await node.Bus.TryRequestAsync(s_unhandled, "x").Soon();
        await Failsafe.Until(() => metrics.Of("servicemesh.error.reports").Length > 0);
        AssertOne(metrics, "servicemesh.error.reports", 1, $"{System} servicemesh.outcome=filed");
    }

    [Test]
    public async Task A_report_that_cannot_be_published_is_counted_as_lost_once()
    {
        var transport = new ScriptedTransport { OnSignal = (_, _) => throw new TransportException("down") };
        await using var node = await TestNode.StartAsync(transport.AddTo);
        using var metrics = new RecordedMetrics(node.Services);
        await node.Bus.TryRequestAsync(s_unhandled, "x").Soon();
        await node.StopAsync().Soon();
        AssertOne(metrics, "servicemesh.error.reports", 1, "messaging.system=scripted servicemesh.outcome=lost");
    }

    [Test]
    public async Task A_refused_signal_is_dropped_by_reason()
    {
        await using var node = await StartAsync(
            bus => bus.AddHandler(s_signal, (_, _) => { }), ("ErrorPolicy", "Ignore"), ("Request:MaxBodyBytes", "5"));
        using var metrics = new RecordedMetrics(node.Services);
        await Assert.CatchAsync<RequestRejectedException>(() => node.Bus.SignalAsync(s_signal, "too long").Soon());
        AssertOne(
            metrics, "servicemesh.dropped.messages", 1, $"{System} messaging.destination.name=metrics.signal servicemesh.reason=not-sent");
    }

    private static void AssertOne(RecordedMetrics metrics, string instrument, double value, string tags) =>
        Assert.That(metrics.Of(instrument), Is.EqualTo(new[] { new RecordedMetrics.Measured(instrument, value, tags) }));

    private Task<TestNode> StartAsync(Action<IServiceMeshBuilder>? add = null, params (string, string)[] settings) => TestNode.StartAsync(
        bus =>
        {
            bus.AddInMemoryTransport();
            add?.Invoke(bus);
        },
        // A published report would be one more message to count; a test that needs reports sets the policy itself.
        settings is [("ErrorPolicy", _), ..] ? settings : [("ErrorPolicy", "Ignore"), .. settings],
        services => services.AddSingleton<TimeProvider>(_clock));
}
