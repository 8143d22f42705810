using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Each failure is reported once, by the node with the most information, under every policy and for every status.</summary>
public abstract class ErrorReportTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly RequestTopic<string, string> s_full = new("conformance.full");
    private static readonly RequestTopic<string, string> s_slow = new("conformance.slow");
    private static readonly RequestTopic<string, string> s_fails = new("conformance.fails");
    private static readonly RequestTopic<string, double> s_number = new("conformance.number");

    private Held _full = new();

    public enum Reporter
    {
        Caller,
        Handler,
    }

    [Test]
    public async Task Each_failure_is_reported_once_by_the_node_with_the_most_information(
        [Values(ErrorPolicy.Publish, ErrorPolicy.Queue)] ErrorPolicy policy,
        [ValueSource(nameof(Failures))] (string Name, int Status, Reporter Reporter) failure)
    {
        var (server, caller, reports) = await StartAsync(policy);

        var reply = await FailAsync(caller.Bus, failure.Name);
        Assert.That((int)reply.Status, Is.EqualTo(failure.Status), reply.Failure?.Message);
        var all = await reports.ExpectAsync(1, server, caller);

        Assert.That(
            all.Select(r => (r.Status, r.Node)),
            Is.EqualTo([(failure.Status, failure.Reporter == Reporter.Caller ? caller.Id : server.Id)]),
            string.Join('\n', all.Select(r => r.ToString())));
    }

    [TestCase(ErrorPolicy.Publish)]
    [TestCase(ErrorPolicy.Queue)]
    public async Task A_report_names_the_message_the_nodes_and_the_cause(ErrorPolicy policy)
    {
        var (server, caller, reports) = await StartAsync(policy);
        var before = DateTimeOffset.UtcNow;

        await caller.Bus.TryRequestAsync(s_fails, "Grüße");
        var report = (await reports.ExpectAsync(1, server, caller)).Single();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(report.Topic, Is.EqualTo("conformance.fails"));
            Assert.That(report.Kind, Is.EqualTo(MessageKind.Request));
            Assert.That(report.Status, Is.EqualTo(500));
            Assert.That(report.Error, Does.Contain("InvalidOperationException").And.Contain("I never work."));
            Assert.That(report.MessageId, Does.StartWith(caller.Id));
            Assert.That(report.Sender, Is.EqualTo(caller.Id));
            Assert.That(report.Node, Is.EqualTo(server.Id));
            Assert.That(report.Group, Is.EqualTo("_default"));
            Assert.That(report.Time, Is.InRange(before.AddSeconds(-1), DateTimeOffset.UtcNow.AddSeconds(1)));
            Assert.That(TextOf(report), Is.EqualTo("Grüße"));
            Assert.That(report.DataEncoding, Is.EqualTo(System.Text.Unicode.Utf8.IsValid(BodyOf("Grüße")) ? "utf-8" : "base64"));
            Assert.That(report.DataBytes, Is.EqualTo(BodyOf("Grüße").Length));
            Assert.That(
                report.Exception, Does.StartWith("System.InvalidOperationException: I never work.").And.Contain(nameof(FailHandler)));
        }
    }

    [Test]
    public async Task A_report_carries_a_bounded_part_of_the_data()
    {
        var (server, caller, reports) = await StartAsync(ErrorPolicy.Publish, ("Errors:MaxDataBytes", "100"));

        await caller.Bus.TryRequestAsync(s_fails, new string('x', 5000));
        var report = (await reports.ExpectAsync(1, server, caller)).Single();

        var body = BodyOf(new string('x', 5000));
        Assert.That((Convert.ToHexString(DataOf(report)), report.DataBytes), Is.EqualTo((Convert.ToHexString(body[..100]), body.Length)));
    }

    [TestCase(ErrorPolicy.Publish)]
    [TestCase(ErrorPolicy.Queue)]
    public async Task A_signal_that_fails_or_is_refused_is_reported(ErrorPolicy policy)
    {
        var held = new Held();
        var (server, caller, reports) = await StartAsync(policy);
        await server.Bus.SubscribeAsync(News, (_, _) => throw new InvalidOperationException("I never listen."));
        await server.Bus.SubscribeAsync(
            News, (news, context) => held.HandleAsync(news, context), new() { MaxConcurrency = 1, MaxQueued = 0 });

        await caller.Bus.SignalAsync(News, "one");
        await held.EnteredAsync();
        await caller.Bus.SignalAsync(News, "two");

        var all = await reports.ExpectAsync(3, server, caller);
        held.Release();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(all.Select(r => r.Status), Is.EquivalentTo([500, 500, 429]));
            Assert.That(
                all.Select(r => (r.Topic, r.Kind, r.Sender, r.Group)),
                Is.All.EqualTo(("conformance.news", (MessageKind?)MessageKind.Signal, caller.Id, (string?)null)));
        }
    }

    [Test]
    public async Task A_request_that_its_caller_cancels_is_not_reported()
    {
        var (server, caller, reports) = await StartAsync(ErrorPolicy.Publish);
        using var cancellation = new CancellationTokenSource();
        var asking = caller.Bus.TryRequestAsync(s_full, "", cancellation.Token);
        await _full.EnteredAsync();

        await cancellation.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => asking);
        _full.Release();

        Assert.That(await reports.ExpectAsync(0, server, caller), Is.Empty);
    }

    [Test]
    public async Task What_a_handler_of_reports_causes_is_not_reported_again()
    {
        var (heard, caused) = (new Inbox<ErrorReport>(), new Inbox<StatusCode>());
        var (server, caller, _) = await StartAsync(ErrorPolicy.Publish);
        await StartAsync(
            mesh => mesh.AddHandler(MeshTopics.Errors, async (report, context) =>
            {
                heard.Put(report);
                if (report.Topic == s_fails.Topic.ToString())
                {
                    caused.Put((await context.Bus.TryRequestAsync(s_fails, "again")).Status);
                    caused.Put((await context.Bus.TryRequestAsync(Other, "nowhere")).Status);
                }
            }),
            ("Request:MaxBodyBytes", "50000"));

        await caller.Bus.TryRequestAsync(s_fails, "first");
        Assert.That(await caused.NextAsync(2), Is.EqualTo([StatusCode.HandlerFailed, StatusCode.NotFound]));

        // The server files its reports one after the other: one about the second failure would be there before this one.
        await server.Bus.TryRequestAsync(Other, "");
        var all = await heard.NextAsync(2);
        Assert.That(all.Select(r => r.Topic), Is.EqualTo(["conformance.fails", "conformance.other"]));
        Assert.That(heard.All, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_report_has_the_headers_and_the_trace_of_its_message()
    {
        var (server, caller, reports) = await StartAsync(ErrorPolicy.Queue);

        await caller.Bus.TryRequestAsync(s_fails, "x", new()
        {
            Headers = Headers.Of(
                ("tenant", "blue"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
        });
        var report = (await reports.ExpectAsync(1, server, caller)).Single();

        Assert.That(report.Headers["tenant"], Is.EqualTo("blue"));
        Assert.That(report.TraceId, Has.Length.EqualTo(32));
        Assert.That(report.SpanId, Has.Length.EqualTo(16));
        Assert.That((report.ContentType, report.Id), Is.EqualTo((Factory.Bodies.ContentType, report.Id)));
        Assert.That(report.Id, Is.Not.Empty);
    }

    [Test]
    public async Task Error_reports_travel_as_JSON_with_every_serializer()
    {
        var types = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, (_, context) => types.Put(context.Message.ContentType)));
        var (_, caller, _) = await StartAsync(ErrorPolicy.Publish);

        await FailAsync(caller.Bus, "throws");

        Assert.That(await types.NextAsync(), Is.EqualTo("application/json"));
    }

    [Test]
    public async Task The_Ignore_policy_publishes_and_queues_no_report()
    {
        var published = new Inbox<ErrorReport>();
        var observer = await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, published.ReceiveAsync));
        var (server, caller, _) = await StartAsync(ErrorPolicy.Ignore);

        Assert.That((await FailAsync(caller.Bus, "throws")).Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That((await FailAsync(caller.Bus, "no handler")).Status, Is.EqualTo(StatusCode.NotFound));
        Assert.That(await server.ErrorQueue.CountAsync() + await caller.ErrorQueue.CountAsync(), Is.Zero);

        // A stopped node has filed all its reports, so the report that another node makes now arrives last.
        await StopAsync(server, caller);
        await observer.Bus.TryRequestAsync(Other, "");
        Assert.That((await published.NextAsync()).Topic, Is.EqualTo("conformance.other"));
        Assert.That(published.All, Has.Count.EqualTo(1));
    }

    private static IEnumerable<(string Name, int Status, Reporter Reporter)> Failures() =>
    [
        ("malformed", 400, Reporter.Handler),
        ("reply exception", 403, Reporter.Handler),
        ("no handler", 404, Reporter.Caller),
        ("late", 408, Reporter.Caller),
        ("status", 409, Reporter.Handler),
        ("request too large", 413, Reporter.Caller),
        ("reply too large", 413, Reporter.Handler),
        ("full", 429, Reporter.Caller),
        ("overrun", 499, Reporter.Handler),
        ("throws", 500, Reporter.Handler),
        ("unreadable answer", 500, Reporter.Caller),
    ];

    private Task<Reply<string>> FailAsync(IServiceBus bus, string name) => name switch
    {
        "malformed" => bus.TryRequestAsync(AskWrongly, [1]),
        "no handler" => bus.TryRequestAsync(Other, ""),
        "late" => bus.TryRequestAsync(s_full, "", new() { Timeout = TimeSpan.FromMilliseconds(200) }),
        "request too large" => bus.TryRequestAsync(Ask, new string('a', 100_000)),
        "full" => FillAsync(bus),
        "overrun" => bus.TryRequestAsync(s_slow, ""),
        "throws" => bus.TryRequestAsync(s_fails, ""),
        "unreadable answer" => bus.TryRequestAsync(new RequestTopic<string, string>("conformance.number"), ""),
        _ => bus.TryRequestAsync(Ask, name),
    };

    private async Task<Reply<string>> FillAsync(IServiceBus bus)
    {
        var first = bus.TryRequestAsync(s_full, "");
        await _full.EnteredAsync();
        var second = await bus.TryRequestAsync(s_full, "");
        _full.Release();
        await first;
        return second;
    }

    private async Task<(MeshNode Server, MeshNode Caller, Reports Reports)> StartAsync(
        ErrorPolicy policy, params (string, string)[] settings)
    {
        // NUnit keeps one instance of a fixture for all its tests.
        _full = new();
        (string, string)[] all = [("ErrorPolicy", policy.ToString()), ("Request:MaxBodyBytes", "50000"), .. settings];
        var observer = await StartAsync(null, all);
        var server = await StartAsync(
            mesh => mesh
                .AddHandler(Ask, Answer)
                .AddHandler(s_fails, FailHandler)
                .AddHandler(s_number, (_, _) => 0.5)
                .AddHandler(s_slow, new Held().HandleAsync, options => options.Timeout = TimeSpan.FromMilliseconds(50))
                .AddHandler(s_full, _full.HandleAsync, options => (options.MaxConcurrency, options.MaxQueued) = (1, 0)),
            all);
        var caller = await StartAsync(null, all);
        return (
            server,
            caller,
            policy == ErrorPolicy.Publish
                ? await Reports.OfPublishedAsync(observer, Can(TransportFeatures.OrderedDelivery))
                : Reports.OfQueues(server, caller));
    }

    private static string FailHandler(string input, HandlerContext context) => throw new InvalidOperationException("I never work.");

    private static string Answer(string input, HandlerContext context)
    {
        switch (input)
        {
            case "reply exception":
                throw new ReplyException(StatusCode.Forbidden, "Not you.");
            case "reply too large":
                return new string('a', 100_000);
            default:
                context.Status = (StatusCode)409;
                return input;
        }
    }
}
