using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>The in-memory transport passes values without encoding them when PassByReference is set.</summary>
public sealed class PassByReferenceTests
{
    private static readonly RequestTopic<Order, Order> s_ask = new("passed.ask");
    private static readonly SignalTopic<Order> s_news = new("passed.news");

    [Test]
    public async Task A_handler_gets_the_object_of_its_caller_and_the_caller_gets_its_reply_object()
    {
        Order? got = null;
        var answer = new Order("answer");
        await using var node = await StartAsync(mesh => mesh.AddHandler(s_ask, (input, _) => { got = input; return answer; }));
        var order = new Order("question");

        Assert.That(await node.Bus.RequestAsync(s_ask, order).Soon(), Is.SameAs(answer));
        Assert.That(got, Is.SameAs(order));
        Assert.That((await node.Bus.TryRequestAsync(s_ask, order).Soon()).Value, Is.SameAs(answer));
    }

    [Test]
    public async Task Subscribers_of_a_signal_share_one_object()
    {
        var heard = System.Threading.Channels.Channel.CreateUnbounded<Order>();
        await using var node = await StartAsync(mesh => mesh
            .AddHandler(s_news, (news, _) => { heard.Writer.TryWrite(news); })
            .AddHandler(new SignalPattern<Order>("passed.*"), (news, _) => { heard.Writer.TryWrite(news); }));
        var order = new Order("news");

        await node.Bus.SignalAsync(s_news, order).Soon();

        Assert.That(await heard.Reader.ReadAsync().AsTask().Soon(), Is.SameAs(order));
        Assert.That(await heard.Reader.ReadAsync().AsTask().Soon(), Is.SameAs(order));
    }

    [Test]
    public async Task Values_are_encoded_by_default()
    {
        Order? got = null;
        await using var node = await TestNode.StartAsync(mesh => mesh.AddInMemoryTransport().AddHandler(s_ask, (input, _) => got = input));
        var order = new Order("question");

        Assert.That(await node.Bus.RequestAsync(s_ask, order).Soon(), Is.EqualTo(order).And.Not.SameAs(order));
        Assert.That(got, Is.EqualTo(order).And.Not.SameAs(order));
    }

    [Test]
    public async Task A_handler_of_another_type_gets_the_value_encoded()
    {
        await using var node = await StartAsync(mesh => mesh.AddHandler(
            new RequestTopic<Named, Named>("passed.ask"), (input, _) => new Named($"{input.Name}!")));

        Assert.That(await node.Bus.RequestAsync(s_ask, new Order("x")).Soon(), Is.EqualTo(new Order("x!")));
    }

    [Test]
    public async Task Middleware_that_reads_the_body_sees_it_encoded()
    {
        var step = new Reader();
        await using var node = await StartAsync(mesh =>
        {
            mesh.Services.AddKeyedSingleton<IHandlerMiddleware>(mesh.Name, step);
            mesh.AddHandler(s_ask, (input, _) => input);
        });

        await node.Bus.RequestAsync(s_ask, new Order("x")).Soon();

        Assert.That(step.Seen, Is.EqualTo(new[] { """{"Name":"x"}""", """{"Name":"x"}""" }));
    }

    [Test]
    public async Task The_report_of_a_failed_handler_carries_the_encoded_value()
    {
        await using var node = await TestNode.StartAsync(
            mesh => mesh.AddInMemoryTransport(configure: options => options.PassByReference = true)
                .AddHandler(s_ask, Order (_, _) => throw new InvalidOperationException("no")),
            [("ErrorPolicy", "Queue"), ("Errors:QueueFile", TempFile.Path())]);

        await node.Bus.TryRequestAsync(s_ask, new Order("x")).Soon();
        await node.StopAsync();

        Assert.That((await node.ErrorQueue.EmptyAsync(10)).Single().Data, Is.EqualTo("""{"Name":"x"}"""));
    }

    [Test]
    public async Task A_failing_status_arrives_with_its_value()
    {
        var answer = new Order("details");
        await using var node = await StartAsync(mesh => mesh.AddHandler(s_ask, (_, context) =>
        {
            context.Status = (StatusCode)422;
            return answer;
        }));

        var reply = await node.Bus.TryRequestAsync(s_ask, new Order("x")).Soon();

        Assert.That(((int)reply.Status, reply.Value), Is.EqualTo((422, answer)));
    }

    // Sets the option in the configuration, as an application does.
    private static Task<TestNode> StartAsync(Action<IServiceMeshBuilder> configure) => TestNode.StartAsync(
        mesh =>
        {
            mesh.AddInMemoryTransport();
            configure(mesh);
        },
        [("InMemory:PassByReference", "true")]);

    internal sealed record Order(string Name);

    internal sealed record Named(string Name);

    private sealed class Reader : IHandlerMiddleware
    {
        public List<string> Seen { get; } = [];

        public async ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
        {
            Seen.Add(System.Text.Encoding.UTF8.GetString(context.Message.Body.Span));
            var reply = await next(context);
            Seen.Add(System.Text.Encoding.UTF8.GetString(reply.Body.Span));
            return reply;
        }
    }
}
