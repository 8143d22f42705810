using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Handlers that are added and removed while the node runs.</summary>
public abstract class SubscriptionTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static Task<string> EchoAsync(string input, HandlerContext context) => Task.FromResult(input);

    [Test]
    public async Task A_handler_answers_from_its_subscription_until_its_disposal()
    {
        var server = await StartAsync();
        var caller = await StartAsync();
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "")).Status, Is.EqualTo(StatusCode.NotFound));

        var subscription = await server.Bus.SubscribeAsync(Ask, EchoAsync);
        Assert.That(await caller.Bus.RequestAsync(Ask, "now"), Is.EqualTo("now"));

        await subscription.DisposeAsync();
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "")).Status, Is.EqualTo(StatusCode.NotFound));

        await using var again = await server.Bus.SubscribeAsync(Ask, EchoAsync);
        Assert.That(await caller.Bus.RequestAsync(Ask, "again"), Is.EqualTo("again"));
    }

    [Test]
    public async Task A_subscriber_receives_signals_from_its_subscription_until_its_disposal()
    {
        var (stays, leaves) = (new Inbox<string>(), new Inbox<string>());
        var subscriber = await StartAsync(mesh => mesh.AddHandler(News, stays.ReceiveAsync));
        var sender = await StartAsync();

        await sender.Bus.SignalAsync(News, "before");
        await stays.NextAsync(); // otherwise it may still be on its way
        var subscription = await subscriber.Bus.SubscribeAsync(News, leaves.ReceiveAsync);
        var during = await sender.Bus.SignalAsync(News, "during");
        await leaves.NextAsync();
        await subscription.DisposeAsync();
        var after = await sender.Bus.SignalAsync(News, "after");

        await stays.NextAsync(2);
        await StopAsync(subscriber);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(leaves.All, Is.EqualTo(["during"]));
            Assert.That(during.Receivers, IsCountOf(nodes: 1, subscriptions: 2));
            Assert.That(after.Receivers, IsCountOf(nodes: 1, subscriptions: 1));
        }
    }

    [Test]
    public async Task Unsubscribing_waits_for_requests_in_flight_and_they_are_answered()
    {
        var held = new Held();
        var server = await StartAsync();
        var caller = await StartAsync();
        var subscription = await server.Bus.SubscribeAsync(Ask, held.HandleAsync);
        var asking = caller.Bus.RequestAsync(Ask, "in time");
        await held.EnteredAsync();

        var leaving = subscription.DisposeAsync().AsTask();
        var refused = await UntilRefusedAsync(caller);
        Assert.That(leaving.IsCompleted, Is.False, "the handler still runs");
        held.Release();

        Assert.That(await asking, Is.EqualTo("in time"));
        await leaving.InTime();
        await subscription.DisposeAsync();
        Assert.That(refused.Failure?.NotProcessed, Is.True);
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "")).Status, Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task Members_that_join_and_leave_lose_no_request_of_their_group()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var guest = await StartAsync();
        var caller = await StartAsync();
        using var enough = new CancellationTokenSource();

        var visits = Task.Run(async () =>
        {
            var count = 0;
            for (; count < 50; count++)
            {
                await using var visit = await guest.Bus.SubscribeAsync(Ask, EchoAsync);
                await caller.Bus.RequestAsync(Ask, "during the visit");
            }

            await enough.CancelAsync();
            return count;
        });
        var callers = Enumerable.Range(0, 8).Select(async _ =>
        {
            var replies = new List<Reply<string>>();
            while (!enough.IsCancellationRequested)
            {
                replies.Add(await caller.Bus.TryRequestAsync(Ask, "x"));
            }

            return replies;
        }).ToArray();

        Assert.That(await visits.InTime(), Is.EqualTo(50));
        var replies = (await Task.WhenAll(callers)).SelectMany(r => r).ToArray();
        Assert.That(replies.Where(r => !r.IsSuccess).Select(r => r.Failure!.Message), Is.Empty);
    }

    [Test]
    public async Task A_second_handler_of_a_group_on_one_node_is_refused_and_the_first_stays()
    {
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(
            () => server.Bus.SubscribeAsync(Ask, (_, _) => Task.FromResult("second")));
        await using var other = await server.Bus.SubscribeAsync(Other, EchoAsync, new() { Group = "workers" });
        await Assert.ThrowsAsync<InvalidOperationException>(() => server.Bus.SubscribeAsync(Other, EchoAsync, new() { Group = "workers" }));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(refusal?.Message, Does.Contain("conformance.ask").And.Contain("_default"));
            Assert.That(await caller.Bus.RequestAsync(Ask, "first"), Is.EqualTo("first"));
            Assert.That(await caller.Bus.RequestAsync(Other, "first"), Is.EqualTo("first"));
        }
    }

    [Test]
    public async Task A_node_with_a_duplicate_handler_does_not_start_and_handles_nothing()
    {
        var caller = await StartAsync();

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(
            () => StartAsync(mesh => mesh.AddHandler(Other, Echo).AddHandler(Ask, Echo).AddHandler(Ask, Echo)));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(refusal?.Message, Does.Contain("conformance.ask").And.Contain("_default"));
            Assert.That((await caller.Bus.TryRequestAsync(Ask, "")).Status, Is.EqualTo(StatusCode.NotFound));
            Assert.That((await caller.Bus.TryRequestAsync(Other, "")).Status, Is.EqualTo(StatusCode.NotFound));
        }
    }

    // Disposing starts in the background; the first refused request shows that it has begun.
    private static async Task<Reply<string>> UntilRefusedAsync(MeshNode caller)
    {
        Reply<string>? reply = null;
        await Failsafe.UntilAsync(async () =>
        {
            reply = await caller.Bus.TryRequestAsync(Ask, "probe", new() { Timeout = TimeSpan.FromMilliseconds(100) });
            return reply.Status is StatusCode.NotFound or StatusCode.Unavailable;
        });
        return reply!;
    }
}
