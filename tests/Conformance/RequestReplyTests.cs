using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Requests and replies: a value arrives as it was sent.</summary>
public abstract class RequestReplyTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly RequestTopic<Order, Order> s_order = new("conformance.order");
    private static readonly RequestTopic<string?, string?> s_nullable = new("conformance.nullable");
    private static readonly RequestTopic<Unit, Unit> s_unit = new("conformance.unit");

    public enum Kind
    {
        Small,
        Large,
    }

    public sealed record Line(string Item, int Count, decimal Price);

    public sealed record Order(
        Guid Id, DateTimeOffset At, TimeSpan Within, Kind Kind, long Big, double Fraction, bool Urgent, Uri? Link, Line[] Lines,
        Dictionary<string, Line?> ByName);

    [Test]
    public async Task A_value_comes_back_as_it_was_sent()
    {
        var arrived = new Inbox<Order>();
        await StartAsync(mesh => mesh.AddHandler(s_order, (order, _) =>
        {
            arrived.Put(order);
            return order;
        }));
        var caller = await StartAsync();
        var line = new Line("tea \"green\" & <black>", 3, 12.50m);
        var sent = new Order(
            Guid.NewGuid(), new(2026, 2, 28, 23, 59, 59, 999, TimeSpan.FromHours(5.5)), TimeSpan.FromMilliseconds(1.5), Kind.Large,
            long.MaxValue, 0.1 + 0.2, true, null, [line, line with { Count = -1 }], new() { ["a.b"] = line, ["missing"] = null });

        var answer = await caller.Bus.RequestAsync(s_order, sent);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await arrived.NextAsync(), Is.EqualTo(sent).UsingPropertiesComparer());
            Assert.That(answer, Is.EqualTo(sent).UsingPropertiesComparer());
            Assert.That(answer, Is.Not.SameAs(sent));
        }
    }

    [TestCase(null, null)]
    [TestCase(null, "an answer")]
    [TestCase("a question", null)]
    [TestCase("", "")]
    public async Task Null_and_empty_are_values_like_others(string? question, string? answer)
    {
        var arrived = new Inbox<string?>();
        await StartAsync(mesh => mesh.AddHandler(s_nullable, (input, _) =>
        {
            arrived.Put(input);
            return answer;
        }));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(s_nullable, question);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await arrived.NextAsync(), Is.EqualTo(question));
            Assert.That(reply.Status, Is.EqualTo(StatusCode.Ok));
            Assert.That(reply.Value, Is.EqualTo(answer));
        }
    }

    [Test]
    public async Task A_request_and_its_reply_may_be_empty()
    {
        await StartAsync(mesh => mesh.AddHandler(s_unit, (input, _) => input));
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(s_unit, Unit.Value);

        Assert.That(reply.Status, Is.EqualTo(StatusCode.Ok));
    }

    [Test]
    public async Task A_handler_knows_the_topic_the_sender_and_its_own_node()
    {
        var seen = new Inbox<(string Topic, string Sender, string Node, string? Group, MessageKind Kind, string Id)>();
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            seen.Put((
                context.Topic.ToString(),
                context.Sender,
                context.NodeId,
                context.Group,
                context.Message.Kind,
                context.Message.Id.ToString()));
            return input;
        }));
        var caller = await StartAsync();

        await caller.Bus.RequestAsync(Ask, "first");
        await caller.Bus.RequestAsync(Ask, "second");

        var (first, second) = (await seen.NextAsync(), await seen.NextAsync());
        Assert.That(first, Is.EqualTo(("conformance.ask", caller.Id, server.Id, "_default", MessageKind.Request, first.Id)));
        Assert.That(second.Id, Is.Not.EqualTo(first.Id), "each message has its own id");
    }

    [Test]
    public async Task A_node_reaches_its_own_handlers()
    {
        var node = await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) => $"{input} to {context.NodeId} from {context.Sender}"));

        Assert.That(await node.Bus.RequestAsync(Ask, "hello"), Is.EqualTo($"hello to {node.Id} from {node.Id}"));
    }

    [Test]
    public async Task Handlers_may_send_deeply_nested_requests()
    {
        var countdown = new RequestTopic<int, int>("conformance.countdown");
        MeshNode? asking = null;
        var nodes = await StartAsync(2, mesh => mesh.AddHandler(countdown, async (left, _) =>
            left == 0 ? 0 : 1 + await asking!.Bus.RequestAsync(countdown, left - 1)));
        asking = nodes[0];

        Assert.That(await nodes[1].Bus.RequestAsync(countdown, 40), Is.EqualTo(40));
    }

    [Test]
    public async Task A_handler_class_gets_its_own_scoped_services_for_each_message()
    {
        await StartAsync(mesh =>
        {
            mesh.Services.AddScoped<Visit>();
            mesh.AddHandler<CountingHandler>(Ask);
        });
        var caller = await StartAsync();

        var answers = new[] { await caller.Bus.RequestAsync(Ask, "a"), await caller.Bus.RequestAsync(Ask, "b") };

        Assert.That(answers, Is.EqualTo(["a 1", "b 1"]));
    }

    private sealed class Visit
    {
        public int Count { get; set; }
    }

    private sealed class CountingHandler(Visit visit) : IRequestHandler<string, string>
    {
        public Task<string> HandleAsync(string request, HandlerContext context) => Task.FromResult($"{request} {++visit.Count}");
    }
}
