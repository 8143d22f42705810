using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>One trace covers everything that a call causes, on all nodes.</summary>
public abstract class TraceTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly ActivitySource s_test = new("conformance-test");

    [Test]
    public async Task The_handlers_span_is_a_child_of_the_callers()
    {
        using var trace = new Recording();
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();

        using (var root = trace.Begin())
        {
            root.TraceStateString = "vendor=value";
            await caller.Bus.RequestAsync(Ask, "");
        }

        var request = await trace.FindAsync("request conformance.ask");
        var process = await trace.FindAsync("process conformance.ask");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(request.ParentSpanId, Is.EqualTo(trace.Root.SpanId));
            Assert.That(process.ParentSpanId, Is.EqualTo(request.SpanId));
            Assert.That(process.TraceStateString, Is.EqualTo("vendor=value"));
            Assert.That(process.HasRemoteParent, Is.True);
            Assert.That((request.Kind, process.Kind), Is.EqualTo((ActivityKind.Client, ActivityKind.Consumer)));
            Assert.That(request.GetTagItem("messaging.system"), Is.EqualTo(Capabilities.System));
        }
    }

    [Test]
    public async Task Messages_that_a_handler_sends_continue_the_trace()
    {
        using var trace = new Recording();
        var inbox = new Inbox<string>();
        MeshNode? middle = null;
        middle = await StartAsync(mesh => mesh.AddHandler(Ask, async (string input, HandlerContext _) =>
        {
            await middle!.Bus.SignalAsync(News, input);
            return await middle.Bus.RequestAsync(Other, input);
        }));
        await StartAsync(mesh => mesh.AddHandler(Other, Echo).AddHandler(News, inbox.ReceiveAsync));
        var caller = await StartAsync();

        using (trace.Begin())
        {
            await caller.Bus.RequestAsync(Ask, "");
        }

        await inbox.NextAsync();
        var chain = new List<string>();
        foreach (var end in (string[])["process conformance.other", "process conformance.news"])
        {
            var span = await trace.FindAsync(end);
            for (; span.SpanId != trace.Root.SpanId; span = trace.ParentOf(span))
            {
                chain.Add(span.OperationName);
            }
        }

        Assert.That(chain, Is.EqualTo(
        [
            "process conformance.other", "request conformance.other", "process conformance.ask", "request conformance.ask",
            "process conformance.news", "signal conformance.news", "process conformance.ask", "request conformance.ask",
        ]));
    }

    [Test]
    public async Task Each_step_of_a_composition_is_a_child_of_the_compositions_span()
    {
        using var trace = new Recording();
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        await StartAsync(mesh => mesh.AddHandler(Other, Echo));
        var caller = await StartAsync();

        using (trace.Begin())
        {
            await caller.Bus.ExecuteAsync(Ask | Compose.Parallel(Ask, Other), "");
        }

        var whole = await trace.FindAsync($"execute {Ask | Compose.Parallel(Ask, Other)}");
        Assert.That(whole.ParentSpanId, Is.EqualTo(trace.Root.SpanId));
        Assert.That(
            trace.Spans.Where(s => s.ParentSpanId == whole.SpanId).Select(s => s.OperationName),
            Is.EquivalentTo(["request conformance.ask", "request conformance.ask", "request conformance.other"]));
    }

    [Test]
    public async Task A_failure_marks_the_spans_of_both_sides()
    {
        using var trace = new Recording();
        await StartAsync(mesh => mesh.AddHandler(
            Ask, (input, _) => input.Length == 0 ? throw new InvalidOperationException("No.") : input));
        var caller = await StartAsync();

        using (trace.Begin())
        {
            await caller.Bus.TryRequestAsync(Ask, "");
        }

        foreach (var name in (string[])["request conformance.ask", "process conformance.ask"])
        {
            var span = await trace.FindAsync(name);
            Assert.That((span.Status, span.GetTagItem("error.type")), Is.EqualTo((ActivityStatusCode.Error, (object)"500")));
        }
    }

    /// <summary>The spans below one root, as they end.</summary>
    private sealed class Recording : IDisposable
    {
        private readonly ConcurrentQueue<Activity> _ended = new();
        private readonly ActivityListener _listener;

        public Recording()
        {
            _listener = new()
            {
                ShouldListenTo = source => source.Name is "ServiceMesh" or "conformance-test",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = _ended.Enqueue,
            };
            ActivitySource.AddActivityListener(_listener);
            Root = null!;
        }

        public Activity Root { get; private set; }

        /// <summary>The spans of this trace only: a span of an earlier test may end late.</summary>
        public IEnumerable<Activity> Spans => _ended.Where(span => span.TraceId == Root.TraceId);

        public Activity Begin() => Root = s_test.StartActivity("test")!;

        public async Task<Activity> FindAsync(string name)
        {
            // The handler's span may end after its answer has been sent.
            Activity? found = null;
            await Failsafe.UntilAsync(() => (found = Spans.FirstOrDefault(span => span.OperationName == name)) is not null);
            return found!;
        }

        public Activity ParentOf(Activity span) => Spans.Single(other => other.SpanId == span.ParentSpanId);

        public void Dispose() => _listener.Dispose();
    }
}
