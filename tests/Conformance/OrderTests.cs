using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>
/// An ordered handler handles one message at a time, in the order of sending. A transport without ordered delivery refuses
/// such a handler at start.
/// </summary>
public abstract class OrderTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private const int Messages = 500;

    [Test]
    public async Task Signals_of_one_sender_are_handled_in_the_order_of_sending()
    {
        var inbox = new Inbox<string>();
        async Task ReceiveAsync(string news, HandlerContext context)
        {
            // A message that overtakes another would do so here.
            await Task.Yield();
            inbox.Put(news);
        }

        if (!Can(TransportFeatures.OrderedDelivery))
        {
            await AssertRefusedAsync(() => StartAsync(mesh => mesh.AddHandler(News, ReceiveAsync, options => options.Ordered = true)));
            return;
        }

        await StartAsync(mesh => mesh.AddHandler(News, ReceiveAsync, options => options.Ordered = true));
        var sender = await StartAsync();
        for (var i = 0; i < Messages; i++)
        {
            await sender.Bus.SignalAsync(News, $"{i}");
        }

        Assert.That(await inbox.NextAsync(Messages), Is.EqualTo(Enumerable.Range(0, Messages).Select(i => $"{i}")));
    }

    [Test]
    public async Task Requests_of_one_caller_are_handled_in_the_order_of_sending()
    {
        var inbox = new Inbox<string>();
        async Task<string> AnswerAsync(string input, HandlerContext context)
        {
            await Task.Yield();
            inbox.Put(input);
            return input;
        }

        if (!Can(TransportFeatures.OrderedDelivery))
        {
            await AssertRefusedAsync(() => StartAsync(mesh => mesh.AddHandler(Ask, AnswerAsync, options => options.Ordered = true)));
            return;
        }

        await StartAsync(mesh => mesh.AddHandler(Ask, AnswerAsync, options => options.Ordered = true));
        var caller = await StartAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, Messages).Select(i => caller.Bus.RequestAsync(Ask, $"{i}")));

        Assert.That(inbox.All, Is.EqualTo(answers));
    }

    [Test]
    public async Task An_ordered_handler_handles_one_message_at_a_time()
    {
        if (!Can(TransportFeatures.OrderedDelivery))
        {
            await AssertRefusedAsync(() => StartAsync(mesh => mesh.AddHandler(Ask, Echo, options => options.Ordered = true)));
            return;
        }

        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync, options => options.Ordered = true));
        var caller = await StartAsync();
        var first = caller.Bus.RequestAsync(Ask, "first");
        await held.EnteredAsync();

        var second = await caller.Bus.TryRequestAsync(Ask, "second", new() { Timeout = TimeSpan.FromMilliseconds(300) });
        Assert.That((second.Status, held.Calls), Is.EqualTo((StatusCode.DeadlinePassed, 1)), "it waits for the first");

        held.Release();
        Assert.That(await first, Is.EqualTo("first"));
    }

    [Test]
    public async Task A_failure_does_not_stop_the_messages_after_it()
    {
        var inbox = new Inbox<string>();
        async Task ReceiveAsync(string news, HandlerContext context)
        {
            await Task.Yield();
            inbox.Put(news);
            if (news.EndsWith('3'))
            {
                throw new InvalidOperationException("Not this one.");
            }
        }

        var subscriber = await StartAsync();
        var sender = await StartAsync();
        if (!Can(TransportFeatures.OrderedDelivery))
        {
            await AssertRefusedAsync(() => subscriber.Bus.SubscribeAsync(News, ReceiveAsync, new() { Ordered = true }));
            return;
        }

        await subscriber.Bus.SubscribeAsync(News, ReceiveAsync, new() { Ordered = true });
        for (var i = 0; i < 20; i++)
        {
            await sender.Bus.SignalAsync(News, $"{i}");
        }

        Assert.That(await inbox.NextAsync(20), Is.EqualTo(Enumerable.Range(0, 20).Select(i => $"{i}")));
    }

    private static async Task AssertRefusedAsync(Func<Task> action)
    {
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(action);
        Assert.That(refusal?.Message, Does.Contain(nameof(TransportFeatures.OrderedDelivery)));
    }
}
