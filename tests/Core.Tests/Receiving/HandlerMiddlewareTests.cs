using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class HandlerMiddlewareTests
{
    [Test]
    public async Task Middleware_runs_around_the_handler_in_the_order_of_registration()
    {
        var trail = new List<string>();
        await using var node = new BareNode(middleware: [new Tracing("outer", trail), new Tracing("inner", trail)]);
        var subscription = node.OnRequest<string, string>("a", (_, _) =>
        {
            trail.Add("handler");
            return Task.FromResult("");
        });
        await subscription.Offer(node.Request("a")).RunAsync().Soon();
        Assert.That(trail, Is.EqualTo(new[] { "outer in", "inner in", "handler", "inner out 200", "outer out 200" }));
    }

    [Test]
    public async Task Middleware_may_answer_without_calling_next()
    {
        var trail = new List<string>();
        await using var node = new BareNode(middleware: [new Tracing("outer", trail), new Refusing(), new Tracing("inner", trail)]);
        var subscription = node.OnRequest<string, string>("a", (_, _) => throw new InvalidOperationException());
        var reply = await subscription.Offer(node.Request("a")).RunAsync().Soon();
        Assert.That((reply.Status, reply.NotProcessed), Is.EqualTo((StatusCode.Forbidden, true)));
        Assert.That(trail, Is.EqualTo(new[] { "outer in", "outer out 403" }));
        Assert.That((await node.ReportsAsync()).Single().Status, Is.EqualTo(403), "the node that refused reports it");
    }

    [Test]
    public async Task An_exception_of_the_handler_passes_through_middleware_as_an_exception()
    {
        var trail = new List<string>();
        await using var node = new BareNode(middleware: [new Tracing("outer", trail)]);
        var subscription = node.OnRequest<string, string>("a", (_, _) => throw new InvalidTimeZoneException());
        var reply = await subscription.Offer(node.Request("a")).RunAsync().Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(trail, Is.EqualTo(new[] { "outer in", "outer threw InvalidTimeZoneException" }));
    }

    [Test]
    public async Task Middleware_sees_a_reply_for_a_body_that_does_not_decode()
    {
        var trail = new List<string>();
        await using var node = new BareNode(middleware: [new Tracing("outer", trail)]);
        var subscription = node.OnRequest<int, int>("a", (input, _) => Task.FromResult(input));
        await subscription.Offer(node.Request("a", "text")).RunAsync().Soon();
        Assert.That(trail, Is.EqualTo(new[] { "outer in", "outer out 400" }));
    }

    [Test]
    public async Task Middleware_that_throws_or_returns_null_fails_the_message()
    {
        foreach (var step in new IHandlerMiddleware[] { new Broken(throws: true), new Broken(throws: false) })
        {
            await using var node = new BareNode(middleware: [step]);
            var subscription = node.OnRequest<string, string>("a", (_, _) => Task.FromResult(""));
            Assert.That((await subscription.Offer(node.Request("a")).RunAsync().Soon()).Status, Is.EqualTo(StatusCode.HandlerFailed));
            Assert.That(subscription.Gate.Running, Is.Zero);
        }
    }

    [Test]
    public async Task Middleware_is_resolved_once_from_the_container()
    {
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport()
                .AddHandlerMiddleware<Counting>()
                .AddHandler(new RequestTopic<int, int>("a"), (input, _) => input),
            services: services => services.AddSingleton<Counter>());
        for (var i = 0; i < 3; i++)
        {
            await node.Bus.RequestAsync(new RequestTopic<int, int>("a"), i).Soon();
        }

        var counter = node.Services.GetRequiredService<Counter>();
        Assert.That((counter.Made, counter.Handled), Is.EqualTo((1, 3)));
    }

    [Test]
    public async Task A_retry_in_middleware_has_a_new_scope_status_and_reply_headers()
    {
        var disposed = new List<int>();
        await using var node = await TestNode.StartAsync(
            bus => bus.AddInMemoryTransport().AddHandlerMiddleware<Retrying>().AddHandler<Flaky>(s_flaky),
            services: services => services.AddSingleton(disposed).AddScoped<Session>());

        var reply = await node.Bus.TryRequestAsync(s_flaky, 3).Soon();

        Assert.That((reply.Status, reply.Value), Is.EqualTo((StatusCode.Ok, 1)), "the third attempt has a session that was not used");
        Assert.That(reply.Headers, Is.EquivalentTo(Headers.Of(("of", "step"))));
        await Failsafe.Until(() => disposed.Count == 3);
        Assert.That(disposed, Is.All.EqualTo(1), "each session was used once");
    }

    private static readonly RequestTopic<int, int> s_flaky = new("middleware.flaky");

    private sealed class Session(List<int> disposed) : IDisposable
    {
        public int Uses { get; set; }

        public void Dispose() => disposed.Add(Uses);
    }

    private sealed class Flaky(Session session) : IRequestHandler<int, int>
    {
        private static int s_calls;

        public Task<int> HandleAsync(int failures, HandlerContext context)
        {
            session.Uses++;
            if (Interlocked.Increment(ref s_calls) < failures)
            {
                context.Status = (StatusCode)409;
                context.ReplyHeaders = Headers.Of(("of", "attempt"));
                throw new InvalidTimeZoneException();
            }

            return Task.FromResult(session.Uses);
        }
    }

    private sealed class Retrying : IHandlerMiddleware
    {
        public async ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
        {
            context.ReplyHeaders = Headers.Of(("of", "step"));
            while (true)
            {
                try
                {
                    return await next(context);
                }
                catch (InvalidTimeZoneException)
                {
                    // Again.
                }
            }
        }
    }

    private sealed class Tracing(string name, List<string> trail) : IHandlerMiddleware
    {
        public async ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
        {
            trail.Add($"{name} in");
            try
            {
                var reply = await next(context);
                trail.Add($"{name} out {(int)reply.Status}");
                return reply;
            }
            catch (Exception failure)
            {
                trail.Add($"{name} threw {failure.GetType().Name}");
                throw;
            }
        }
    }

    private sealed class Refusing : IHandlerMiddleware
    {
        public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next) =>
            new(ReplyMessage.Failure(StatusCode.Forbidden, "Not you.", notProcessed: true));
    }

    private sealed class Broken(bool throws) : IHandlerMiddleware
    {
        public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next) =>
            throws ? throw new InvalidTimeZoneException() : new((ReplyMessage)null!);
    }

    internal sealed class Counter
    {
        public int Made;
        public int Handled;
    }

    internal sealed class Counting : IHandlerMiddleware
    {
        private readonly Counter _counter;

        public Counting(Counter counter)
        {
            _counter = counter;
            counter.Made++;
        }

        public ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
        {
            Interlocked.Increment(ref _counter.Handled);
            return next(context);
        }
    }
}
