using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Activities are global to the process, so each test looks only at those of its own trace.</summary>
[NonParallelizable]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class TracingTests : IDisposable
{
    private static readonly ActivitySource s_source = new("ServiceMesh.Core.Tests");
    private static readonly RequestTopic<int, int> s_add = new("tracing.add");
    private static readonly RequestTopic<int, int> s_fails = new("tracing.fails");
    private static readonly SignalTopic<string> s_signal = new("tracing.event");

    private readonly ConcurrentQueue<Activity> _stopped = new();
    private readonly ActivityListener _listener;
    private readonly Activity _root;

    public TracingTests()
    {
        _listener = new()
        {
            ShouldListenTo = source => source.Name is "ServiceMesh" or "ServiceMesh.Core.Tests",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _stopped.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
        _root = s_source.StartActivity("test")!;
        _root.TraceStateString = "vendor=1";
    }

    public void Dispose()
    {
        _root.Dispose();
        _listener.Dispose();
    }

    [Test]
    public async Task A_request_is_a_client_span_and_its_handling_a_consumer_span_below_it()
    {
        await using var node = await StartAsync();
        await node.Bus.RequestAsync(s_add, 1).Soon();
        var (request, process) = (await OneAsync("request tracing.add"), await OneAsync("process tracing.add"));
        Assert.That((request.Kind, request.ParentSpanId), Is.EqualTo((ActivityKind.Client, _root.SpanId)));
        Assert.That((process.Kind, process.ParentSpanId), Is.EqualTo((ActivityKind.Consumer, request.SpanId)));
        Assert.That(process.TraceStateString, Is.EqualTo("vendor=1"));
        Assert.That(Tags(request, "messaging.message.id"), Is.EqualTo(new Dictionary<string, object?>
        {
            ["messaging.system"] = "inmemory",
            ["messaging.operation.name"] = "request",
            ["messaging.operation.type"] = "send",
            ["messaging.destination.name"] = "tracing.add",
            ["messaging.message.body.size"] = 1,
        }));
        Assert.That(Tags(process, "messaging.message.id"), Is.EqualTo(new Dictionary<string, object?>
        {
            ["messaging.system"] = "inmemory",
            ["messaging.operation.name"] = "process",
            ["messaging.operation.type"] = "process",
            ["messaging.destination.name"] = "tracing.add",
            ["messaging.consumer.group.name"] = "_default",
            ["messaging.message.body.size"] = 1,
        }));
        Assert.That(process.GetTagItem("messaging.message.id"), Is.EqualTo(request.GetTagItem("messaging.message.id")).And.Not.Null);
        Assert.That(request.Status, Is.EqualTo(ActivityStatusCode.Unset));
    }

    [Test]
    public async Task A_signal_is_a_producer_span_and_its_handling_names_topic_template_and_group()
    {
        await using var node = await StartAsync();
        await node.Bus.SignalAsync(s_signal, "x").Soon();
        var (signal, process) = (await OneAsync("signal tracing.event"), await OneAsync("process tracing.event"));
        Assert.That(signal.Kind, Is.EqualTo(ActivityKind.Producer));
        Assert.That(signal.GetTagItem("messaging.operation.name"), Is.EqualTo("signal"));
        Assert.That(process.ParentSpanId, Is.EqualTo(signal.SpanId));
        Assert.That(process.GetTagItem("messaging.destination.name"), Is.EqualTo("tracing.event"));
        Assert.That(process.GetTagItem("messaging.destination.template"), Is.EqualTo("tracing.*"));
        Assert.That(process.GetTagItem("messaging.consumer.group.name"), Is.EqualTo("g"));
    }

    [Test]
    public async Task A_failure_marks_both_spans_and_the_handlers_span_has_the_exception()
    {
        await using var node = await StartAsync();
        await node.Bus.TryRequestAsync(s_fails, 1).Soon();
        var (request, process) = (await OneAsync("request tracing.fails"), await OneAsync("process tracing.fails"));
        foreach (var span in new[] { request, process })
        {
            Assert.That((span.Status, span.GetTagItem("error.type")), Is.EqualTo((ActivityStatusCode.Error, (object)"500")));
        }

        Assert.That(process.Events.Single().Name, Is.EqualTo("exception"));
    }

    [Test]
    public async Task A_composition_is_one_span_with_all_its_requests_below_it()
    {
        await using var node = await StartAsync();
        var form = s_add | Compose.Parallel(s_add, Compose.Lambda((int x) => x) | s_add) | Compose.Lambda((int[] all) => all.Sum()) | s_add;
        await node.Bus.ExecuteAsync(form, 1).Soon();
        var execute = await OneAsync($"execute {form}");
        Assert.That((execute.Kind, execute.ParentSpanId), Is.EqualTo((ActivityKind.Internal, _root.SpanId)));
        await Failsafe.Until(() => Mine("process tracing.add").Length == 4);
        Assert.That(Mine("request tracing.add").Select(r => r.ParentSpanId), Is.EqualTo(Enumerable.Repeat(execute.SpanId, 4)));
        Assert.That(
            Mine("process tracing.add").Select(p => p.ParentSpanId),
            Is.EquivalentTo(Mine("request tracing.add").Select(r => r.SpanId)));
    }

    [Test]
    public async Task The_requests_and_signals_of_every_form_are_below_its_span()
    {
        await using var node = await StartAsync();
        var form = s_add.Within(TimeSpan.FromSeconds(20)).Retry(2)
            | s_add.Recover(_ => null).Tee(s_signal, x => $"{x}")
            | Compose.Choose((int _) => s_add).Keep().Pipe(kept => kept.Output)
            | Compose.Step((int x, StepContext step) => step.ExecuteAsync(s_add, x))
            | Compose.Both(s_add, s_add).Pipe(both => new[] { both.First, both.Second })
            | s_add.Each(2).Pipe(all => all[0])
            | Compose.Race(s_add);
        await node.Bus.ExecuteAsync(form, 1).Soon();
        var execute = await OneAsync($"execute {form}"[..208] + "…");
        Assert.That(Mine("request tracing.add").Select(r => r.ParentSpanId), Is.EqualTo(Enumerable.Repeat(execute.SpanId, 9)));
        Assert.That((await OneAsync("signal tracing.event")).ParentSpanId, Is.EqualTo(execute.SpanId));
    }

    [Test]
    public async Task The_span_of_a_failed_or_cancelled_composition_is_marked_like_a_request()
    {
        await using var node = await StartAsync();
        await node.Bus.TryExecuteAsync(s_add | s_fails, 1).Soon();
        var failed = await OneAsync("execute tracing.add | tracing.fails");
        Assert.That((failed.Status, failed.GetTagItem("error.type")), Is.EqualTo((ActivityStatusCode.Error, (object)"500")));

        await Assert.CatchAsync<OperationCanceledException>(
            () => node.Bus.ExecuteAsync(s_add | s_add, 1, new CancellationToken(true)).Soon());
        var cancelled = await OneAsync("execute tracing.add | tracing.add");
        Assert.That((cancelled.Status, cancelled.GetTagItem("error.type")), Is.EqualTo((ActivityStatusCode.Error, (object)"cancelled")));
    }

    [Test]
    public async Task Requests_that_a_handler_sends_belong_to_the_same_trace()
    {
        await using var node = await StartAsync();
        await using var subscription = await node.Bus.SubscribeAsync(
            new RequestTopic<int, int>("tracing.outer"), (x, _) => node.Bus.RequestAsync(s_add, x));
        await node.Bus.RequestAsync(new RequestTopic<int, int>("tracing.outer"), 1).Soon();
        Assert.That((await OneAsync("request tracing.add")).ParentSpanId, Is.EqualTo((await OneAsync("process tracing.outer")).SpanId));
    }

    [Test]
    public async Task A_message_with_the_most_allowed_headers_is_sent_with_tracing_too()
    {
        await using var node = await StartAsync();
        var headers = Enumerable.Range(0, Headers.MaxCount).Aggregate(Headers.Empty, (all, i) => all.With($"h{i}", "x"));
        Assert.That(await node.Bus.RequestAsync(s_add, 1, new RequestOptions { Headers = headers }).Soon(), Is.EqualTo(2));
        await node.Bus.SignalAsync(s_signal, "x", new RequestOptions { Headers = headers }).Soon();
        Assert.That((await OneAsync("process tracing.event")).TraceId, Is.EqualTo(_root.TraceId));
    }

    [Test]
    public async Task A_call_restores_the_callers_current_activity()
    {
        await using var node = await StartAsync();
        await node.Bus.ExecuteAsync(s_add | s_add, 1).Soon();
        await node.Bus.TryRequestAsync(s_fails, 1).Soon();
        await node.Bus.SignalAsync(s_signal, "x").Soon();
        Assert.That(Activity.Current, Is.SameAs(_root));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Spans_below_a_web_servers_span_that_nothing_listens_to_are_sampled_and_joined(bool isSampled)
    {
        await using var node = await StartAsync();
        _listener.Dispose(); // which samples everything
        _root.Stop(); // what the web server makes is a root
        Activity.Current = null;
        using var sampler = new ParentBasedListener(isSampled);
        using var ofWebServer = new Activity("Microsoft.AspNetCore.Hosting.HttpRequestIn").Start();

        await node.Bus.RequestAsync(s_add, 1).Soon();
        await node.Bus.ExecuteAsync(s_add | s_add, 1).Soon();
        await node.Bus.SignalAsync(s_signal, "x").Soon();

        string[] expected =
        [
            "request tracing.add", "process tracing.add", "execute tracing.add | tracing.add", "request tracing.add", "process tracing.add",
            "request tracing.add", "process tracing.add", "signal tracing.event", "process tracing.event",
        ];
        await Failsafe.Until(() => !isSampled || sampler.Recorded.Count == expected.Length);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(sampler.Recorded.Select(a => a.DisplayName), Is.EquivalentTo(isSampled ? expected : []));
            Assert.That(sampler.Recorded.Select(a => a.TraceId), Is.All.EqualTo(ofWebServer.TraceId));
            Assert.That(sampler.Roots, Is.EqualTo(1), "one decision for the trace");
            Assert.That(Activity.Current, Is.SameAs(ofWebServer));
        }
    }

    private Activity[] Mine(string name) => [.. _stopped.Where(a => a.TraceId == _root.TraceId && a.DisplayName == name)];

    private async Task<Activity> OneAsync(string name)
    {
        await Failsafe.Until(() => Mine(name).Length > 0);
        return Mine(name).Single();
    }

    private static Dictionary<string, object?> Tags(Activity activity, string without) =>
        activity.TagObjects.Where(t => t.Key != without).ToDictionary();

    private static Task<TestNode> StartAsync() => TestNode.StartAsync(bus => bus
        .AddInMemoryTransport()
        .AddHandler(s_add, (x, _) => x + 1)
        .AddHandler(s_fails, (int x, HandlerContext _) => x < 0 ? x : throw new InvalidTimeZoneException())
        .AddHandler(new SignalPattern<string>("tracing.*"), (_, _) => { }, o => o.Group = "g"));

    /// <summary>Samples like the default of OpenTelemetry: as the parent, and without a parent as configured.</summary>
    private sealed class ParentBasedListener : IDisposable
    {
        private readonly ActivityListener _listener;
        private int _roots;

        public ParentBasedListener(bool samplesRoots)
        {
            _listener = new()
            {
                ShouldListenTo = source => source.Name == MeshTelemetry.SourceName,
                Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
                {
                    var isRoot = options.Parent.SpanId == default;
                    Interlocked.Add(ref _roots, isRoot ? 1 : 0);
                    return (isRoot ? samplesRoots : options.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded))
                        ? ActivitySamplingResult.AllDataAndRecorded
                        : ActivitySamplingResult.PropagationData;
                },
                ActivityStopped = activity =>
                {
                    if (activity.Recorded)
                    {
                        Recorded.Enqueue(activity);
                    }
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public ConcurrentQueue<Activity> Recorded { get; } = new();

        public int Roots => Volatile.Read(ref _roots);

        public void Dispose() => _listener.Dispose();
    }
}
