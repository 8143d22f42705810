using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Headers of requests and of replies.</summary>
public abstract class HeaderTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [TestCase("plain")]
    [TestCase("")]
    [TestCase(" space before and after ")]
    [TestCase("Grüße 日本語 👩‍👩‍👧‍👦")]
    [TestCase("a=1; b=\"2, 3\", c: \\4 %41 %zz =?utf-8?q?x?=")]
    public async Task Headers_of_a_request_and_of_its_reply_arrive_unchanged(string value)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            context.ReplyHeaders = Headers.Of(("answered", context.Headers["x-asked"] ?? "missing"), ("content-type", "mine"));
            return input;
        }));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "", new() { Headers = Headers.Of(("X-Asked", value)) });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Headers["Answered"], Is.EqualTo(value), "names ignore case");
            Assert.That(reply.Headers["content-type"], Is.EqualTo("mine"), "a name that the wire may use itself");
        }
    }

    [TestCase("host")]
    [TestCase("content-length")]
    [TestCase("content-type")]
    [TestCase("connection")]
    [TestCase("transfer-encoding")]
    [TestCase("authorization")]
    [TestCase("sender")]
    [TestCase("data")]
    [TestCase("code")]
    [TestCase("mesh.deadline")]
    public async Task A_header_may_have_a_name_that_the_wire_uses_itself(string name)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => context.Headers[name] ?? "missing"));
        var caller = await StartAsync();

        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = Headers.Of((name, "mine")) });

        Assert.That(answer, Is.EqualTo("mine"));
    }

    [Test]
    public async Task Headers_of_a_failure_arrive_too()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            context.Status = (StatusCode)409;
            context.ReplyHeaders = Headers.Of(("version", "7"));
            return input;
        }));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That((reply.Status, reply.Headers["version"]), Is.EqualTo(((StatusCode)409, "7")));
    }

    [Test]
    public async Task A_message_without_headers_has_none()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => string.Join(", ", context.Headers.Select(h => h.Key))));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That((reply.Value, reply.Headers.Count), Is.EqualTo(("", 0)));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task The_largest_allowed_headers_arrive_with_and_without_tracing(bool traced)
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => traced && source.Name == "ServiceMesh",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        ActivitySource.AddActivityListener(listener);
        await StartAsync(mesh => mesh.AddHandler(
            Ask, (_, context) => $"{context.Headers.Where(h => h.Value.StartsWith('v')).Sum(h => h.Value.Length)}"));
        var caller = await StartAsync();

        // 64 names of three characters leave 8,000 for the values.
        var largest = Enumerable.Range(100, Headers.MaxCount).Aggregate(Headers.Empty, (all, i) => all.With($"{i}", new string('v', 125)));
        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = largest });

        Assert.That(answer, Is.EqualTo("8000"));
    }

    [TestCase("a=1\tb=2", "", TestName = "A_tab_in_tracestate_is_dropped_and_not_the_message")]
    [TestCase("8300", "", TestName = "A_tracestate_of_8300_characters_is_dropped_and_not_the_message")]
    [TestCase("", "100000", TestName = "A_baggage_of_100000_characters_is_dropped_and_not_the_message")]
    [TestCase("8300", "100000", TestName = "Bad_trace_context_beside_64_own_headers_is_dropped_and_not_the_message")]
    public async Task Bad_trace_context_of_the_current_span_is_dropped(string state, string baggage)
    {
        var inbox = new Inbox<string>();
        await StartAsync(mesh => mesh
            .AddHandler(Ask, (_, context) => Describe(context.Headers))
            .AddHandler(News, (_, context) => inbox.ReceiveAsync(Describe(context.Headers), context)));
        var caller = await StartAsync();
        using var span = new Activity("of the web server").Start();
        span.TraceStateString = state == "8300" ? $"a={new string('s', 8298)}" : state;
        if (baggage.Length > 0)
        {
            span.AddBaggage("b", new string('b', int.Parse(baggage, CultureInfo.InvariantCulture)));
        }

        var options = new RequestOptions { Headers = Largest() };
        var answer = await caller.Bus.RequestAsync(Ask, "", options);
        await caller.Bus.SignalAsync(News, "", options);

        string[] answers = [answer, await inbox.NextAsync()];
        Assert.That(answers, Is.All.EqualTo($"64 own; traceparent of {span.TraceId}; tracestate none; baggage none"));
    }

    [Test]
    public async Task Bad_trace_context_that_a_caller_gives_is_dropped()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => Describe(context.Headers)));
        var caller = await StartAsync();
        var headers = Largest().With("tracestate", "a=1\tb=2").With("baggage", new string('b', 100_000)).With("traceparent", "\n");

        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = headers });

        Assert.That(answer, Is.EqualTo("64 own; traceparent none; tracestate none; baggage none"));
    }

    [Test]
    public async Task A_callers_own_trace_context_is_kept_as_a_whole_without_a_span()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => Describe(context.Headers)));
        var caller = await StartAsync();

        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = OwnTrace() });

        Assert.That(answer, Is.EqualTo($"64 own; traceparent of {OwnTraceId}; tracestate own=1; baggage own=2"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_callers_own_trace_context_is_replaced_as_a_whole_by_a_span(bool traced)
    {
        using var listener = Listen(traced);
        await StartAsync(mesh => mesh.AddHandler(Ask, (_, context) => Describe(context.Headers)));
        var caller = await StartAsync();

        using var span = new Activity("current").Start();
        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = OwnTrace() });
        span.TraceStateString = "span=1";
        span.AddBaggage("span", "2");
        var second = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = OwnTrace() });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answer, Is.EqualTo($"64 own; traceparent of {span.TraceId}; tracestate none; baggage none"));
            Assert.That(second.Replace(" ", ""), Is.EqualTo($"64own;traceparentof{span.TraceId};tracestatespan=1;baggagespan=2"));
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task What_a_handler_sends_continues_trace_and_baggage_without_a_listener_too(bool traced)
    {
        using var listener = Listen(traced);
        await StartAsync(mesh => mesh.AddHandler(Other, (_, context) => Describe(context.Headers)));
        await StartAsync(mesh => mesh.AddHandler(Ask, (string input, HandlerContext context) =>
            context.Bus.RequestAsync(Other, input, new RequestOptions { Headers = context.Headers })));
        var caller = await StartAsync();
        using var span = new Activity("current").Start();
        span.TraceStateString = "span=1";
        span.AddBaggage("span", "2");

        var answer = await caller.Bus.RequestAsync(Ask, "", new RequestOptions { Headers = Largest() });

        Assert.That(answer.Replace(" ", ""), Is.EqualTo($"64own;traceparentof{span.TraceId};tracestatespan=1;baggagespan=2"));
    }

    private const string OwnTraceId = "0af7651916cd43dd8448eb211c80319c";

    private static Headers Largest() =>
        Enumerable.Range(100, Headers.MaxCount).Aggregate(Headers.Empty, (all, i) => all.With($"{i}", new string('v', 125)));

    private static Headers OwnTrace() => Largest()
        .With("traceparent", $"00-{OwnTraceId}-b7ad6b7169203331-01").With("tracestate", "own=1").With("baggage", "own=2");

    private static string Describe(Headers headers) =>
        $"{headers.Count(h => h.Value.Length == 125)} own; "
        + $"traceparent {(headers["traceparent"] is { } id ? $"of {id.Split('-')[1]}" : "none")}; "
        + $"tracestate {headers["tracestate"] ?? "none"}; baggage {headers["baggage"] ?? "none"}";

    private static ActivityListener Listen(bool traced)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => traced && source.Name == MeshTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
