using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class SendMiddlewareTests
{
    private static readonly RequestTopic<string, string> s_request = new("a.b");
    private static readonly SignalTopic<string> s_signal = new("a.b");

    private readonly ScriptedTransport _transport = new();
    private readonly List<string> _trail = [];

    [Test]
    public async Task Middleware_runs_around_the_transport_in_the_order_of_registration()
    {
        await using var node = await StartAsync(bus => bus.AddSendMiddleware<Outer>().AddSendMiddleware<Inner>());
        _transport.OnRequest = (request, _) =>
        {
            _trail.Add($"transport {request.Headers["by"]}");
            return new(ScriptedTransport.Answer("\"\""));
        };
        _transport.OnSignal = (signal, _) =>
        {
            _trail.Add($"transport {signal.Headers["by"]}");
            return new(new SignalResult(3));
        };
        await node.Bus.RequestAsync(s_request, "x").Soon();
        Assert.That(_trail, Is.EqualTo(new[] { "outer in", "inner in", "transport inner", "inner out", "outer out" }));
        _trail.Clear();
        Assert.That((await node.Bus.SignalAsync(s_signal, "x").Soon()).Receivers, Is.EqualTo(3));
        Assert.That(_trail, Is.EqualTo(new[] { "outer in", "inner in", "transport inner", "inner out", "outer out" }));
    }

    [Test]
    public async Task Middleware_may_answer_without_calling_the_transport()
    {
        _transport.OnRequest = (_, _) => throw new AssertionException("sent");
        await using var node = await StartAsync(bus => bus.AddSendMiddleware<Outer>().AddSendMiddleware<Answering>());
        Assert.That(await node.Bus.RequestAsync(s_request, "x").Soon(), Is.EqualTo("cached"));
        Assert.That(_trail, Is.EqualTo(new[] { "outer in", "outer out" }));
    }

    [Test]
    public async Task Middleware_that_implements_only_one_method_passes_the_other_on()
    {
        _transport.OnSignal = (_, _) => new(new SignalResult(7));
        await using var node = await StartAsync(bus => bus.AddSendMiddleware<Answering>());
        Assert.That((await node.Bus.SignalAsync(s_signal, "x").Soon()).Receivers, Is.EqualTo(7));
    }

    [Test]
    public async Task Middleware_sees_the_reply_of_an_unavailable_transport_and_may_retry()
    {
        var calls = 0;
        _transport.OnRequest = (_, _) => ++calls == 1 ? throw new TransportException("down") : new(ScriptedTransport.Answer("\"second\""));
        await using var node = await StartAsync(bus => bus.AddSendMiddleware<Retrying>());
        Assert.That(await node.Bus.RequestAsync(s_request, "x").Soon(), Is.EqualTo("second"));
    }

    private Task<TestNode> StartAsync(Action<IServiceMeshBuilder> add) => TestNode.StartAsync(bus =>
    {
        _transport.AddTo(bus);
        add(bus);
    }, services: services => services.AddSingleton(_trail));

    private abstract class Step(string name, List<string> trail) : ISendMiddleware
    {
        public async ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
        {
            trail.Add($"{name} in");
            var reply = await next(request with { Headers = request.Headers.With("by", name) }, cancellationToken);
            trail.Add($"{name} out");
            return reply;
        }

        public async ValueTask<SignalResult> SignalAsync(
            Message signal, Func<Message, CancellationToken, ValueTask<SignalResult>> next, CancellationToken cancellationToken)
        {
            trail.Add($"{name} in");
            var result = await next(signal with { Headers = signal.Headers.With("by", name) }, cancellationToken);
            trail.Add($"{name} out");
            return result;
        }
    }

    private sealed class Outer(List<string> trail) : Step("outer", trail);

    private sealed class Inner(List<string> trail) : Step("inner", trail);

    private sealed class Answering : ISendMiddleware
    {
        public ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken) =>
            new(ScriptedTransport.Answer("\"cached\""));
    }

    private sealed class Retrying : ISendMiddleware
    {
        public async ValueTask<ReplyMessage> RequestAsync(
            Message request, Func<Message, CancellationToken, ValueTask<ReplyMessage>> next, CancellationToken cancellationToken)
        {
            var reply = await next(request, cancellationToken);
            return reply.Status == StatusCode.Unavailable ? await next(request, cancellationToken) : reply;
        }
    }
}
