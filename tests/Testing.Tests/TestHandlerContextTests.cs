using System.Security.Claims;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Testing.Tests.Contracts;

namespace ServiceMesh.Testing.Tests;

public sealed class TestHandlerContextTests
{
    [Test]
    public void A_handler_sees_what_the_test_gives()
    {
        using var source = new CancellationTokenSource();
        var caller = new ClaimsPrincipal(new ClaimsIdentity("test"));
        var services = new ServiceCollection().BuildServiceProvider();
        var bus = new RecordingBus();
        var context = new TestHandlerContext(
            Ask.Topic, sender: "caller-1", headers: Headers.Of(("tenant", "t1")), remaining: TimeSpan.FromSeconds(2), services: services,
            bus: bus, group: "elders", nodeId: "node-1", caller: caller, cancellationToken: source.Token);

        Assert.That(
            (context.Topic, context.Sender, context.Headers["tenant"], context.Remaining, context.Group, context.NodeId),
            Is.EqualTo((Ask.Topic, "caller-1", "t1", TimeSpan.FromSeconds(2), "elders", "node-1")));
        Assert.That(context.Services, Is.SameAs(services));
        Assert.That(context.Bus, Is.SameAs(bus));
        Assert.That(context.Caller, Is.SameAs(caller));
        Assert.That(context.CancellationToken, Is.EqualTo(source.Token));
        Assert.That(RequestOptions.Within(context).Timeout, Is.EqualTo(TimeSpan.FromSeconds(2)));
    }

    [TestCase(MessageKind.Request, "_default")]
    [TestCase(MessageKind.Signal, null)]
    public void A_context_has_defaults(MessageKind kind, string? group)
    {
        var context = new TestHandlerContext(News.Topic, kind);

        Assert.That((context.Message.Kind, context.Group), Is.EqualTo((kind, group)));
        Assert.That((context.Remaining, context.Headers.Count), Is.EqualTo((TimeSpan.FromSeconds(30), 0)));
        Assert.That(context.CancellationToken.CanBeCanceled, Is.False);
        Assert.That(context.Caller, Is.Null);
        Assert.That(context.Services.GetService<IServiceBus>(), Is.Null);
    }

    [Test]
    public async Task The_test_sees_what_the_handler_sets_and_sends()
    {
        await using var context = new TestHandlerContext(Ask.Topic);

        await HandleAsync("a", context);

        Assert.That((context.Status, context.ReplyHeaders["by"]), Is.EqualTo(((StatusCode)202, "the handler")));
        Assert.That(context.Sent.AssertOne(News), Is.EqualTo("a"));
    }

    [Test]
    public async Task A_context_that_is_disposed_stops_the_bus_that_it_made()
    {
        var context = new TestHandlerContext(Ask.Topic);
        await HandleAsync("a", context);

        await context.DisposeAsync();

        Assert.That(() => context.Bus.SignalAsync(News, "b"), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public async Task A_bus_of_another_kind_is_asked_itself()
    {
        await using var mesh = await MeshTestHost.StartAsync();
        var context = new TestHandlerContext(Ask.Topic, bus: mesh.Bus);

        Assert.That(() => context.Sent, Throws.InvalidOperationException.With.Message.Contains("does not record"));
    }

    [Test]
    public void A_negative_time_is_refused() => Assert.That(
        () => new TestHandlerContext(Ask.Topic, remaining: TimeSpan.FromTicks(-1)), Throws.InstanceOf<ArgumentOutOfRangeException>());

    private static async Task<string> HandleAsync(string input, HandlerContext context)
    {
        await context.Bus.SignalAsync(News, input);
        context.Status = (StatusCode)202;
        context.ReplyHeaders = Headers.Of(("by", "the handler"));
        return input;
    }
}
