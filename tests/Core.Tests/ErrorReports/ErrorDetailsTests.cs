using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>What a caller learns about an exception, and what the log and the report say.</summary>
public sealed class ErrorDetailsTests
{
    private const string Secret = "card declined, number 4111";

    private static readonly RequestTopic<string, string> s_pay = new("details.pay");

    [Test]
    public async Task Without_details_the_caller_gets_a_reference_and_the_operator_everything()
    {
        await using var node = new BareNode(o => o.Errors.Details = ErrorDetails.None);
        var subscription = node.OnRequest<string, string>("a.b", (_, _) => throw new InvalidOperationException(Secret));
        var request = node.Request("a.b") with
        {
            Headers = Headers.Of(("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
        };

        var reply = await subscription.Offer(request).RunAsync().Soon();
        var report = (await node.ReportsAsync()).Single();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Error, Does.Not.Contain("4111").And.Not.Contain("InvalidOperation"));
            Assert.That(reply.Error, Does.Contain("message caller.1").And.Contain("trace 0af7651916cd43dd8448eb211c80319c"));
            Assert.That(report.Error, Does.Contain(Secret));
            Assert.That((report.MessageId, report.TraceId, report.SpanId), Is.EqualTo((
                "caller.1", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")));
            Assert.That(node.Log.Has(LogLevel.Warning, Secret), Is.True);
            Assert.That(node.Log.Has(LogLevel.Warning, "message caller.1, trace 0af7651916cd43dd8448eb211c80319c"), Is.True);
        }
    }

    [Test]
    public async Task What_a_handler_says_on_purpose_reaches_the_caller_without_details()
    {
        await using var node = new BareNode(o => o.Errors.Details = ErrorDetails.None);
        var subscription = node.OnRequest<string, string>("a.b", (_, _) => throw new ReplyException(StatusCode.NotFound, "There is none."));

        Assert.That((await subscription.Offer(node.Request("a.b")).RunAsync().Soon()).Error, Is.EqualTo("There is none."));
    }

    [TestCase("Production", null, false)]
    [TestCase("Development", null, true)]
    [TestCase("Development", "None", false)]
    [TestCase("Production", "Message", true)]
    public async Task The_default_depends_on_the_environment_and_the_key_decides(string environment, string? details, bool isTold)
    {
        var transport = new LoopbackTransport();
        await using var node = await TestNode.StartAsync(
            bus => bus.AddTransport(new("Loop", [], _ => transport))
                .AddHandler(s_pay, string (_, _) => throw new InvalidOperationException(Secret)),
            details is null ? [] : [("Errors:Details", details)],
            services => services.Replace(ServiceDescriptor.Singleton<IHostEnvironment>(new OfName(environment))));

        var reply = await node.Bus.TryRequestAsync(s_pay, "x").Soon();

        Assert.That(reply.Failure!.Message.Contains(Secret, StringComparison.Ordinal), Is.EqualTo(isTold), reply.Failure.Message);
    }

    [Test]
    public async Task In_memory_the_caller_gets_the_message()
    {
        await using var node = await TestNode.StartAsync(bus => bus.AddInMemoryTransport()
            .AddHandler(s_pay, string (_, _) => throw new InvalidOperationException(Secret)));

        Assert.That((await node.Bus.TryRequestAsync(s_pay, "x").Soon()).Failure!.Message, Does.Contain(Secret));
    }

    [TestCase(404)]
    [TestCase(400)]
    [TestCase(409)]
    public async Task The_log_of_a_handler_that_refuses_says_status_and_reason(int status)
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>(
            "a.b", (_, _) => throw new ReplyException((StatusCode)status, "There is no city 'x'."));

        await subscription.Offer(node.Request("a.b")).RunAsync().Soon();

        Assert.That(
            node.Log.Has(LogLevel.Information, $"Handling a.b from caller failed with {status}: There is no city 'x'. (message caller.1"),
            Is.True);
    }

    [Test]
    public async Task The_log_of_a_body_that_cannot_be_decoded_says_where()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<int, string>("a.b", (_, _) => Task.FromResult(""));

        await subscription.Offer(node.Request("a.b", "text")).RunAsync().Soon();

        Assert.That(node.Log.Lines.Single(l => l.Contains("failed with 400", StringComparison.Ordinal)), Does.Contain("$"));
    }

    [Test]
    public async Task A_report_carries_trace_span_headers_and_content_type()
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "ServiceMesh",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        await using var node = new BareNode();
        Activity? span = null;
        var subscription = node.OnRequest<string, string>("a.b", (_, _) =>
        {
            span = Activity.Current;
            throw new InvalidOperationException();
        });

        await subscription.Offer(node.Request("a.b") with { Headers = Headers.Of(("tenant", "blue")) }).RunAsync().Soon();
        var report = (await node.ReportsAsync()).Single();

        Assert.That((report.TraceId, report.SpanId), Is.EqualTo((span!.TraceId.ToHexString(), span.SpanId.ToHexString())));
        Assert.That((report.Headers["tenant"], report.ContentType), Is.EqualTo(("blue", "application/json")));
        Assert.That(report.Id, Does.StartWith(node.Id));
    }

    private sealed class OfName(string name) : IHostEnvironment
    {
        public string EnvironmentName { get; set; } = name;

        public string ApplicationName { get; set; } = "test";

        public string ContentRootPath { get; set; } = "";

        public Microsoft.Extensions.FileProviders.IFileProvider ContentRootFileProvider { get; set; } = null!;
    }

    /// <summary>A transport that is not in-process by its type, and delivers within the node.</summary>
    private sealed class LoopbackTransport : ITransport
    {
        private Subscription[] _all = [];

        public TransportCapabilities Capabilities { get; } = new()
        {
            System = "loop",
            Features = TransportFeatures.None,
            ReceiverCount = ReceiverCount.Unknown,
        };

        public Task StartAsync(TransportContext context, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async ValueTask<ReplyMessage> RequestAsync(Message request, CancellationToken cancellationToken)
        {
            var handler = _all.Single(s => s.Kind == MessageKind.Request && s.Pattern.ToString() == request.Topic.ToString());
            return await handler.Offer(request).RunAsync(cancellationToken);
        }

        public ValueTask<SignalResult> SignalAsync(Message signal, CancellationToken cancellationToken) => new(new SignalResult(null));

        public Task<IReadOnlyList<NodeInfo>> ListNodesAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<NodeInfo>>([]);

        public Task SubscribeAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
        {
            _all = [.. _all, .. subscriptions];
            return Task.CompletedTask;
        }

        public Task UnsubscribeAsync(Subscription subscription, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
