using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>A signal reaches every subscriber, and its sender waits for none of them.</summary>
public abstract class SignalTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task A_signal_reaches_every_subscriber_on_every_node()
    {
        var inboxes = Enumerable.Range(0, 4).Select(_ => new Inbox<string>()).ToArray();
        await StartAsync(mesh => mesh.AddHandler(News, inboxes[0].ReceiveAsync).AddHandler(News, inboxes[1].ReceiveAsync));
        await StartAsync(mesh => mesh.AddHandler(News, inboxes[2].ReceiveAsync));
        var sender = await StartAsync(mesh => mesh.AddHandler(News, inboxes[3].ReceiveAsync));

        var sent = await sender.Bus.SignalAsync(News, "it rains");

        foreach (var inbox in inboxes)
        {
            Assert.That(await inbox.NextAsync(), Is.EqualTo("it rains"));
        }

        Assert.That(sent.Receivers, IsCountOf(nodes: 3, subscriptions: 4));
        Assert.That(sent.WasReceived, Is.True);
        Assert.That(sent.Failures, Is.Empty);
    }

    [Test]
    public async Task Each_subscriber_receives_each_signal_once()
    {
        var inbox = new Inbox<string>();
        var subscribers = await StartAsync(3, mesh => mesh.AddHandler(News, inbox.ReceiveAsync));
        var senders = await StartAsync(2, _ => { });

        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => senders[i % 2].Bus.SignalAsync(News, $"{i}")));
        await inbox.NextAsync(600);
        await StopAsync(subscribers);

        Assert.That(inbox.All, Is.EquivalentTo(Enumerable.Range(0, 600).Select(i => $"{i % 200}")));
    }

    [Test]
    public async Task A_signal_without_subscribers_is_reported_as_not_received()
    {
        await StartAsync(mesh => mesh.AddHandler(new RequestTopic<string, string>("conformance.news"), Echo));
        var sender = await StartAsync();

        var sent = await sender.Bus.SignalAsync(News, "it rains");

        Assert.That(sent.Receivers, IsCountOfNone);
        Assert.That(sent.WasReceived, Is.EqualTo(Capabilities.ReceiverCount == ReceiverCount.Unknown));
    }

    [Test]
    public async Task A_subscriber_knows_topic_sender_and_headers_and_has_no_deadline()
    {
        var seen = new Inbox<(string Topic, string Sender, string Node, string? Group, string? Header, MessageKind Kind, bool Deadline)>();
        var subscriber = await StartAsync(mesh => mesh.AddHandler(News, (_, context) => seen.Put((
            context.Topic.ToString(), context.Sender, context.NodeId, context.Group, context.Headers["x-tone"], context.Message.Kind,
            context.Message.Deadline.Exists))));
        var sender = await StartAsync();

        await sender.Bus.SignalAsync(News, "it rains", new() { Headers = Headers.Of(("x-tone", "glüm")) });

        Assert.That(
            await seen.NextAsync(),
            Is.EqualTo(("conformance.news", sender.Id, subscriber.Id, (string?)null, "glüm", MessageKind.Signal, false)));
    }

    [TestCase("")]
    [TestCase("👩‍👩‍👧‍👦 \0 \r\n")]
    public async Task Signals_carry_what_requests_carry(string text)
    {
        var inbox = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(News, inbox.ReceiveAsync));
        var sender = await StartAsync();

        await sender.Bus.SignalAsync(News, text);

        Assert.That(await inbox.NextAsync(), Is.EqualTo(text));
    }

    [Test]
    public async Task A_large_signal_arrives_and_one_above_the_limit_is_refused_at_the_sender()
    {
        var inbox = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(News, inbox.ReceiveAsync));
        var sender = await StartAsync();
        var largest = LongestText(Math.Min(4 * 1024 * 1024, Capabilities.MaxBodyBytes));

        var refused = await Assert.ThrowsAsync<RequestRejectedException>(() => sender.Bus.SignalAsync(News, new string('a', largest + 1)));
        await sender.Bus.SignalAsync(News, new string('b', largest));

        Assert.That(refused?.Failure.Status, Is.EqualTo(StatusCode.BodyTooLarge));
        Assert.That(await inbox.NextAsync() == new string('b', largest), Is.True);
    }

    [Test]
    public async Task The_sender_does_not_wait_for_its_subscribers()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(News, (string news, HandlerContext context) => (Task)held.HandleAsync(news, context)));
        var sender = await StartAsync();

        await sender.Bus.SignalAsync(News, "it rains");

        await held.EnteredAsync();
        held.Release();
    }

    [Test]
    public async Task A_full_subscriber_is_not_counted_where_subscriptions_are_counted()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(
            News,
            (string news, HandlerContext context) => (Task)held.HandleAsync(news, context),
            options => (options.MaxConcurrency, options.MaxQueued) = (1, 0)));
        var sender = await StartAsync();
        await sender.Bus.SignalAsync(News, "fills the one place");
        await held.EnteredAsync();

        var sent = await sender.Bus.SignalAsync(News, "one too many");

        held.Release();
        Assert.That(sent.Receivers, IsCountOf(nodes: 1, subscriptions: 0));
    }

    [Test]
    public async Task A_subscriber_that_fails_disturbs_neither_the_sender_nor_the_others()
    {
        var inbox = new Inbox<string>();
        await StartAsync(mesh => mesh
            .AddHandler(News, (string _, HandlerContext _) => throw new InvalidOperationException("I do not like news."))
            .AddHandler(new SignalTopic<int[]>("conformance.news"), (_, _) => { })
            .AddHandler(News, inbox.ReceiveAsync));
        var sender = await StartAsync();

        await sender.Bus.SignalAsync(News, "one");
        await sender.Bus.SignalAsync(News, "two");

        Assert.That(await inbox.NextAsync(2), Is.EquivalentTo(["one", "two"]));
    }
}
