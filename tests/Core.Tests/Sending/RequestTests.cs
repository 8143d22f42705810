using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RequestTests
{
    private static readonly RequestTopic<string, string> s_topic = new("a.b");

    private readonly ScriptedTransport _transport = new();
    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task A_request_carries_topic_body_type_headers_sender_and_deadline()
    {
        await using var node = await StartAsync();
        Message? sent = null;
        _transport.OnRequest = (request, _) =>
        {
            sent = request;
            return new(ScriptedTransport.Answer("\"yes\""));
        };
        var options = new RequestOptions { Timeout = TimeSpan.FromSeconds(3), Headers = Headers.Of(("tenant", "t")) };
        Assert.That(await node.Bus.RequestAsync(s_topic, "in", options).Soon(), Is.EqualTo("yes"));
        Assert.That(sent!.Kind, Is.EqualTo(MessageKind.Request));
        Assert.That(sent.Topic, Is.EqualTo(s_topic.Topic));
        Assert.That(sent.Body.ToArray(), Is.EqualTo("\"in\""u8.ToArray()));
        Assert.That(sent.ContentType, Is.EqualTo("application/json"));
        Assert.That(sent.Headers["tenant"], Is.EqualTo("t"));
        Assert.That(sent.Sender, Is.EqualTo(node.Bus.DescribeNode().Id));
        Assert.That(sent.Deadline.RemainingMilliseconds, Is.EqualTo(3000));
    }

    [Test]
    public async Task Each_request_has_its_own_id()
    {
        await using var node = await StartAsync();
        var ids = new System.Collections.Concurrent.ConcurrentBag<MessageId>();
        _transport.OnRequest = (request, _) =>
        {
            ids.Add(request.Id);
            return new(ScriptedTransport.Answer("\"\""));
        };
        await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => Task.Run(() => node.Bus.RequestAsync(s_topic, "")))).Soon();
        Assert.That(ids.Distinct().Count(), Is.EqualTo(1000));
    }

    [Test]
    public async Task A_request_without_a_timeout_has_the_configured_one()
    {
        await using var node = await StartAsync(("Request:Timeout", "00:00:07"));
        _transport.OnRequest = (request, _) => new(ScriptedTransport.Answer($"\"{request.Deadline.RemainingMilliseconds}\""));
        Assert.That(await node.Bus.RequestAsync(s_topic, "").Soon(), Is.EqualTo("7000"));
    }

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(10000)]
    [TestCase(864_000_000_001)]
    public async Task A_timeout_is_at_least_a_millisecond_and_at_most_a_day(long ticks)
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => new(ScriptedTransport.Answer("\"\""));
        var call = () => node.Bus.RequestAsync(s_topic, "", new RequestOptions { Timeout = TimeSpan.FromTicks(ticks) });
        if (ticks == 10000)
        {
            Assert.That(async () => await call().Soon(), Throws.Nothing);
        }
        else
        {
            Assert.That(
                async () => await call().Soon(),
                Throws.TypeOf<ArgumentOutOfRangeException>()
                    .With.Message.Contains("RequestOptions.Timeout is")
                    .And.Message.Contains("00:00:00.001 to 1.00:00:00"));
        }
    }

    [Test]
    public async Task A_timeout_of_a_day_is_allowed()
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => new(ScriptedTransport.Answer("\"\""));
        await node.Bus.RequestAsync(s_topic, "", new RequestOptions { Timeout = TimeSpan.FromDays(1) }).Soon();
    }

    [Test]
    public async Task Null_arguments_are_thrown_as_misuse()
    {
        await using var node = await StartAsync();
        Assert.That(async () => await node.Bus.RequestAsync<string, string>(null!, ""), Throws.ArgumentNullException);
        Assert.That(async () => await node.Bus.SignalAsync<string>(null!, ""), Throws.ArgumentNullException);
        Assert.That(async () => await node.Bus.TryExecuteAsync<string, string>(null!, ""), Throws.ArgumentNullException);
        Assert.That(() => ServiceBusExtensions.RequestAsync(null!, s_topic, ""), Throws.ArgumentNullException);
    }

    [Test]
    public async Task A_request_before_the_host_has_started_is_503_with_the_reason()
    {
        var services = new ServiceCollection();
        services.AddServiceMesh().AddInMemoryTransport();
        await using var provider = services.BuildServiceProvider();
        var reply = await provider.GetRequiredService<IServiceBus>().TryRequestAsync(s_topic, "").Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(reply.Failure!.NotProcessed, Is.True);
        Assert.That(reply.Failure.IsRetryable, Is.True);
        Assert.That(reply.Failure.Message, Does.Contain("has not started yet"));
    }

    [Test]
    public async Task A_request_after_the_host_has_stopped_is_503_with_the_reason()
    {
        await using var node = await StartAsync();
        await node.StopAsync().Soon();
        var reply = await node.Bus.TryRequestAsync(s_topic, "").Soon();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(reply.Failure.Message, Does.Contain("has stopped"));
    }

    [Test]
    public async Task A_value_that_cannot_be_encoded_throws_and_nothing_is_sent()
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => throw new AssertionException("sent");
        Assert.That(
            async () => await node.Bus.TryRequestAsync(new RequestTopic<Action, string>("a"), () => { }).Soon(),
            Throws.TypeOf<NotSupportedException>());
        Assert.That(
            async () => await node.Bus.SignalAsync(new SignalTopic<Action>("a"), () => { }).Soon(), Throws.TypeOf<NotSupportedException>());
    }

    [Test]
    public async Task A_body_of_exactly_the_limit_is_sent_and_one_byte_more_is_413()
    {
        await using var node = await StartAsync(("Request:MaxBodyBytes", "10"), ("ErrorPolicy", "Ignore"));
        _transport.OnRequest = (_, _) => new(ScriptedTransport.Answer("\"\""));
        Assert.That((await node.Bus.TryRequestAsync(s_topic, "12345678").Soon()).Status, Is.EqualTo(StatusCode.Ok));
        var reply = await node.Bus.TryRequestAsync(s_topic, "123456789").Soon();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.BodyTooLarge, true)));
        Assert.That(reply.Failure.Message, Does.Contain("11 bytes; 10 are allowed"));
        Assert.That(async () => await node.Bus.RequestAsync(s_topic, "123456789").Soon(), Throws.TypeOf<RequestRejectedException>());
    }

    [Test]
    public async Task The_lower_limit_of_transport_and_configuration_applies()
    {
        await using var node = await StartAsync(("Request:MaxBodyBytes", "10"));
        _transport.Capabilities = _transport.Capabilities with { MaxBodyBytes = 5 };
        Assert.That((await node.Bus.TryRequestAsync(s_topic, "1234").Soon()).Failure!.Message, Does.Contain("6 bytes; 5 are allowed"));
    }

    [Test]
    public async Task A_request_whose_deadline_passes_is_408_and_reported_once()
    {
        await using var node = await StartAsync(("ErrorPolicy", "Queue"), ("Errors:QueueFile", TempFile.Path()));
        var entered = Failsafe.Signal();
        _transport.OnRequest = async (_, token) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            throw new AssertionException("unreachable");
        };
        var running = node.Bus.TryRequestAsync(s_topic, "x", new RequestOptions { Timeout = TimeSpan.FromSeconds(2) });
        await entered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(2));
        var reply = await running.Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
        Assert.That(reply.Failure!.Kind, Is.EqualTo(FailureKind.TimedOut));
        Assert.That(reply.Failure.NotProcessed, Is.False);
        Assert.That(reply.Failure.Message, Does.Contain("No answer to 'a.b' within the deadline of 00:00:02"));
        await Failsafe.Until(() => node.ErrorQueue.CountAsync().AsTask().Result == 1);
        Assert.That((await node.ErrorQueue.ReadAsync(9)).Single().Status, Is.EqualTo(408));
    }

    [Test]
    public async Task The_callers_own_cancellation_is_thrown_with_its_token_and_not_reported()
    {
        await using var node = await StartAsync();
        using var caller = new CancellationTokenSource();
        var entered = Failsafe.Signal();
        _transport.OnRequest = async (_, token) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            throw new AssertionException("unreachable");
        };
        var running = node.Bus.TryRequestAsync(s_topic, "x", caller.Token);
        await entered.Task.Soon();
        await caller.CancelAsync();
        var thrown = (await Assert.CatchAsync<OperationCanceledException>(() => running.Soon()))!;
        Assert.That(thrown.CancellationToken, Is.EqualTo(caller.Token));
        Assert.That(node.Log.Lines, Has.None.Contains("failed with"));
    }

    [Test]
    public async Task A_call_with_a_cancelled_token_sends_nothing()
    {
        await using var node = await StartAsync();
        _transport.OnRequest = (_, _) => throw new AssertionException("sent");
        var fired = new CancellationToken(canceled: true);
        await Assert.CatchAsync<OperationCanceledException>(() => node.Bus.RequestAsync(s_topic, "x", fired).Soon());
        await Assert.CatchAsync<OperationCanceledException>(() => node.Bus.SignalAsync(new SignalTopic<string>("a"), "x", fired).Soon());
        await Assert.CatchAsync<OperationCanceledException>(() => node.Bus.ExecuteAsync(Compose.Lambda((int x) => x), 1, fired).Soon());
    }

    private Task<TestNode> StartAsync(params (string, string)[] settings) =>
        TestNode.StartAsync(_transport.AddTo, settings, services => services.AddSingleton<TimeProvider>(_clock));
}
