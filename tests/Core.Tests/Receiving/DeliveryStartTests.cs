using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Whether an accepted message still reaches its handler. Its place is released exactly once in every case.</summary>
public sealed class DeliveryStartTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Test]
    public async Task A_handler_does_not_start_after_the_deadline_of_its_request()
    {
        await using var node = new BareNode();
        var (subscription, calls) = Counted(node);
        var delivery = subscription.Offer(node.Request("a.b", deadline: s_second));
        node.Clock.Advance(s_second);

        var reply = await delivery.RunAsync().Soon();

        Assert.That((reply.Status, reply.NotProcessed, calls.Count), Is.EqualTo((StatusCode.DeadlinePassed, true, 0)));
        Assert.That(subscription.Gate.Running, Is.Zero);
        Assert.That(await node.ReportsAsync(), Is.Empty, "the caller's node reports it");
    }

    [Test]
    public async Task A_handler_does_not_start_after_its_caller_has_left()
    {
        await using var node = new BareNode();
        var (subscription, calls) = Counted(node);

        var reply = await subscription.Offer(node.Request("a.b")).RunAsync(new CancellationToken(canceled: true)).Soon();

        Assert.That((reply.Status, reply.NotProcessed, calls.Count), Is.EqualTo((StatusCode.DeadlinePassed, true, 0)));
        Assert.That(subscription.Gate.Running, Is.Zero);
    }

    [Test]
    public async Task A_node_that_has_stopped_waiting_starts_no_handler()
    {
        await using var node = new BareNode();
        var (subscription, calls) = Counted(node);
        var delivery = subscription.Offer(node.Request("a.b"));
        await node.State.CancelHandlersAsync();

        var reply = await delivery.RunAsync().Soon();

        Assert.That((reply.Status, reply.NotProcessed, calls.Count), Is.EqualTo((StatusCode.Unavailable, true, 0)));
    }

    [TestCase(1, 5, StatusCode.DeadlinePassed)]
    [TestCase(5, 1, StatusCode.HandlerTimeout)]
    public async Task A_handler_does_not_start_when_middleware_has_used_up_its_time(int deadline, int timeout, StatusCode expected)
    {
        var slow = new Step();
        await using var node = new BareNode(middleware: slow);
        var (subscription, calls) = Counted(node, new() { Timeout = timeout * s_second });

        var running = subscription.Offer(node.Request("a.b", deadline: deadline * s_second)).RunAsync();
        node.Clock.Advance(s_second);
        var reply = await running.Soon();
        Assert.That((reply.Status, reply.NotProcessed), Is.EqualTo((expected, true)), "the handler will not be called");

        slow.Release();
        await subscription.Gate.CloseAsync().Soon();
        Assert.That(calls.Count, Is.Zero);
    }

    [Test]
    public async Task A_request_counts_as_processed_when_middleware_calls_next_twice()
    {
        await using var node = new BareNode(middleware: new Twice());
        var subscription = node.OnRequest<string, string>("a.b", (_, _) =>
        {
            node.Clock.Advance(s_second);
            return Task.FromResult("");
        });

        var reply = await subscription.Offer(node.Request("a.b", deadline: s_second)).RunAsync().Soon();

        Assert.That((reply.Status, reply.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, false)));
    }

    [Test]
    public async Task A_delivery_is_run_or_withdrawn_once()
    {
        await using var node = new BareNode();
        var (subscription, _) = Counted(node);
        var ran = subscription.Offer(node.Request("a.b"));
        await ran.RunAsync().Soon();
        var withdrawn = subscription.Offer(node.Request("a.b"));
        withdrawn.Withdraw();
        node.State.BeginDrain();
        var refused = subscription.Offer(node.Request("a.b"));

        foreach (var delivery in new[] { ran, withdrawn, refused })
        {
            Assert.That(async () => await delivery.RunAsync(), Throws.InvalidOperationException.With.Message.Contains("'a.b'"));
            Assert.That(delivery.Withdraw, Throws.InvalidOperationException);
        }

        Assert.That((subscription.Gate.Running, subscription.Gate.Waiting), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task A_handler_class_whose_container_is_disposed_is_refused_as_not_processed()
    {
        await using var node = new BareNode(services: services => services.AddScoped<Counting>());
        var subscription = node.OnClass<Counting>(new RequestTopic<string, string>("a.b"));
        var delivery = subscription.Offer(node.Request("a.b"));
        await node.DisposeServicesAsync();

        var reply = await delivery.RunAsync().Soon();

        Assert.That((reply.Status, reply.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
        Assert.That(reply.Error, Does.Contain("have been disposed"));
        Assert.That(subscription.Gate.Running, Is.Zero);
    }

    [Test]
    public async Task A_running_handler_class_continues_when_the_container_is_disposed()
    {
        var (entered, release) = (Failsafe.Signal(), Failsafe.Signal());
        await using var node = new BareNode(services: services => services.AddScoped(_ => new Holding(entered, release)));
        var running = node.OnClass<Holding>(new RequestTopic<string, string>("a.b")).Offer(node.Request("a.b", "x")).RunAsync();
        await entered.Task.Soon();

        await node.DisposeServicesAsync();
        release.SetResult();

        Assert.That((await running.Soon()).Status, Is.EqualTo(StatusCode.Ok));
    }

    [Test]
    public async Task The_scope_of_a_handler_that_has_ended_is_disposed()
    {
        await using var node = new BareNode();
        HandlerContext? kept = null;
        var subscription = node.OnRequest<string, string>("a.b", (_, context) =>
        {
            kept = context;
            return Task.FromResult("");
        });

        await subscription.Offer(node.Request("a.b")).RunAsync().Soon();

        Assert.That(() => kept!.Services, Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public async Task Each_place_is_released_once_when_runs_withdrawals_and_departures_race()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a.b", async (_, _) =>
        {
            await Task.Yield();
            return "";
        }, new() { MaxConcurrency = 3, MaxQueued = 1000 });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (var i = 0; i < 1000; i++)
            {
                using var caller = new CancellationTokenSource();
                var delivery = subscription.Offer(node.Request("a.b"));
                if (!delivery.IsAccepted)
                {
                    continue;
                }

                if (random.Next(4) == 0)
                {
                    delivery.Withdraw();
                    continue;
                }

                var run = delivery.RunAsync(caller.Token).AsTask();
                if (random.Next(2) == 0)
                {
                    await caller.CancelAsync();
                }

                await run;
            }
        }))).Soon();

        // A handler whose caller left may still be ending. A place that is never released would keep this from ending.
        await subscription.Gate.CloseAsync().Soon();
        Assert.That((subscription.Gate.Running, subscription.Gate.Waiting), Is.EqualTo((0, 0)));
    }

    private static (Subscription Subscription, Calls Calls) Counted(BareNode node, HandlerOptions? options = null)
    {
        var calls = new Calls();
        return (node.OnRequest<string, string>("a.b", (_, _) =>
        {
            calls.Count++;
            return Task.FromResult("");
        }, options), calls);
    }

    private sealed class Calls
    {
        public int Count { get; set; }
    }

    private sealed class Step : IHandlerMiddleware
    {
        private readonly TaskCompletionSource _released = Failsafe.Signal();

        public void Release() => _released.SetResult();

        public async ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
        {
            await _released.Task;
            return await next(context);
        }
    }

    private sealed class Twice : IHandlerMiddleware
    {
        public async ValueTask<ReplyMessage> HandleAsync(HandlerContext context, Func<HandlerContext, ValueTask<ReplyMessage>> next)
        {
            await next(context);
            return await next(context);
        }
    }

    internal sealed class Counting : IRequestHandler<string, string>
    {
        public Task<string> HandleAsync(string request, HandlerContext context) => Task.FromResult(request);
    }

    internal sealed class Holding(TaskCompletionSource entered, TaskCompletionSource release) : IRequestHandler<string, string>
    {
        public async Task<string> HandleAsync(string request, HandlerContext context)
        {
            entered.SetResult();
            await release.Task;
            return request;
        }
    }
}
