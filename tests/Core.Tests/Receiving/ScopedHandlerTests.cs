using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class ScopedHandlerTests
{
    private static readonly RequestTopic<bool, int[]> s_topic = new("scoped.probe");

    [Test]
    public async Task Each_message_has_its_own_scope_for_all_of_its_handling()
    {
        await using var node = await StartAsync(Failsafe.Signal());
        var first = await node.Bus.RequestAsync(s_topic, false).Soon();
        var second = await node.Bus.RequestAsync(s_topic, false).Soon();
        Assert.That(first[0], Is.EqualTo(first[1]), "the injected service and the one from the context");
        Assert.That(second[0], Is.Not.EqualTo(first[0]));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task The_scope_is_disposed_after_the_handler_has_ended_or_failed(bool fails)
    {
        var disposed = Failsafe.Signal();
        await using var node = await StartAsync(disposed);
        var reply = await node.Bus.TryRequestAsync(s_topic, fails).Soon();
        Assert.That(reply.IsSuccess, Is.Not.EqualTo(fails));
        await disposed.Task.Soon();
    }

    [Test]
    public async Task A_service_that_fails_to_dispose_is_logged_and_does_not_change_the_reply()
    {
        await using var node = await StartAsync(Failsafe.Signal(), new InvalidOperationException("cannot dispose"));
        Assert.That((await node.Bus.TryRequestAsync(s_topic, false).Soon()).IsSuccess, Is.True);
        Assert.That(node.Log.Has(LogLevel.Error, "Disposing the services of a handler of scoped.probe failed"), Is.True);
    }

    [Test]
    public async Task A_handler_that_cannot_be_created_is_500_and_the_node_keeps_serving()
    {
        await using var node = await TestNode.StartAsync(
            bus => bus
                .AddInMemoryTransport()
                .AddHandler<Probing>(s_topic)
                .AddHandler(new RequestTopic<int, int>("b"), (input, _) => input),
            services: services => services.AddScoped<ScopedProbe>(_ =>
                throw new InvalidOperationException($"No {nameof(ScopedProbe)} today.")));
        var reply = await node.Bus.TryRequestAsync(s_topic, false).Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(reply.Failure!.Message, Does.Contain(nameof(ScopedProbe)));
        Assert.That(await node.Bus.RequestAsync(new RequestTopic<int, int>("b"), 1).Soon(), Is.EqualTo(1));
    }

    [Test]
    public async Task A_handler_that_the_application_registered_itself_keeps_its_lifetime()
    {
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport().AddHandler<Probing>(s_topic),
            services: services =>
            {
                ScopedProbe.AddTo(services, Failsafe.Signal());
                services.AddSingleton(provider => new Probing(new ScopedProbe(Failsafe.Signal())));
            });
        var first = await node.Bus.RequestAsync(s_topic, false).Soon();
        var second = await node.Bus.RequestAsync(s_topic, false).Soon();
        Assert.That(first[0], Is.EqualTo(second[0]));
    }

    [Test]
    public void A_handler_of_the_wrong_type_is_refused_with_both_names()
    {
        var request = Assert.Throws<ArgumentException>(() => Builder().AddHandler<Probing>(new RequestTopic<string, int>("a.b")))!;
        Assert.That(request.Message, Does.Contain("Probing cannot handle 'a.b'").And.Contains("IRequestHandler<String, Int32>"));
        var signal = Assert.Throws<ArgumentException>(() => Builder().AddHandler<Probing>(new SignalPattern<string>("a.*")))!;
        Assert.That(signal.Message, Does.Contain("Probing cannot handle 'a.*'").And.Contains("ISignalHandler<String>"));
    }

    [Test]
    public async Task One_class_may_handle_requests_and_signals_of_several_topics()
    {
        var heard = Failsafe.Signal<string>();
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport()
                .AddHandler<Both>(new RequestTopic<int, string>("a"))
                .AddHandler<Both>(new RequestTopic<int, string>("b"))
                .AddHandler<Both>(new SignalPattern<string>("c.*")),
            services: services => services.AddSingleton(heard));
        Assert.That(await node.Bus.RequestAsync(new RequestTopic<int, string>("a"), 1).Soon(), Is.EqualTo("a 1"));
        Assert.That(await node.Bus.RequestAsync(new RequestTopic<int, string>("b"), 2).Soon(), Is.EqualTo("b 2"));
        await node.Bus.SignalAsync(new SignalTopic<string>("c.d"), "x").Soon();
        Assert.That(await heard.Task.Soon(), Is.EqualTo("c.d x"));
    }

    private static Task<TestNode> StartAsync(TaskCompletionSource disposed, Exception? failure = null) => TestNode.StartAsync(
        bus => bus.AddInMemoryTransport().AddHandler<Probing>(s_topic),
        services: services => ScopedProbe.AddTo(services, disposed, failure));

    private static IServiceMeshBuilder Builder() => new ServiceCollection().AddServiceMesh();

    internal sealed class Probing(ScopedProbe probe) : IRequestHandler<bool, int[]>
    {
        public Task<int[]> HandleAsync(bool request, HandlerContext context) =>
            request
                ? throw new InvalidOperationException("asked to fail")
                : Task.FromResult<int[]>([probe.Number, ScopedProbe.From(context).Number]);
    }

    internal sealed class Both(TaskCompletionSource<string> heard) : IRequestHandler<int, string>, ISignalHandler<string>
    {
        public Task<string> HandleAsync(int request, HandlerContext context) => Task.FromResult($"{context.Topic} {request}");

        public Task HandleAsync(string signal, HandlerContext context)
        {
            heard.SetResult($"{context.Topic} {signal}");
            return Task.CompletedTask;
        }
    }
}
