using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Conformance;

/// <summary>
/// Subscriptions with <c>*</c>: in the middle it stands for exactly one segment, at the end for every non-empty rest.
/// A transport without patterns refuses them at start.
/// </summary>
public abstract class PatternTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private static readonly SignalPattern<string> s_any = new("event.*");

    [TestCase(
        "event.*.created",
        "event.user.created",
        "event.created event.user event.user.group.created event.user.created.late event.user.createdx")]
    [TestCase("event.*", "event.user event.user.created", "event events events.user event-user")]
    [TestCase("*.created", "user.created", "created event.user.created user.created.late")]
    [TestCase("*", "created event.user.created", "")]
    [TestCase("*.user.*", "event.user.created event.user.group.created", "event.user user.created event.group.user")]
    [TestCase("event.*.*", "event.user.created event.user.group.created", "event.user event")]
    [TestCase("event.*.user.*.end", "event.a.user.b.end", "event.a.user.end event.a.b.user.c.end event.a.user.b.c.end")]
    [TestCase("Event.*", "Event.user", "event.user")]
    [TestCase("event.user", "event.user", "event event.user.created event.users")]
    public async Task A_pattern_matches_what_it_stands_for_and_nothing_else(string pattern, string matching, string others)
    {
        var inbox = new Inbox<string>();
        Task<MeshNode> SubscribeAsync() => StartAsync(mesh => mesh.AddHandler(new SignalPattern<string>(pattern), inbox.ReceiveAsync));
        if (!Can(TransportFeatures.Patterns) && pattern.Contains('*'))
        {
            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(SubscribeAsync);
            Assert.That(refusal?.Message, Does.Contain(pattern).And.Contain(nameof(TransportFeatures.Patterns)));
            return;
        }

        var subscriber = await SubscribeAsync();
        var sender = await StartAsync();
        var expected = matching.Split(' ');

        // The signals that must not match are sent first, so a wrong match would arrive before the others.
        foreach (var topic in others.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            Assert.That(
                (await sender.Bus.SignalAsync(new SignalTopic<string>(topic), topic)).Receivers, IsCountOf(nodes: 0, subscriptions: 0));
        }

        foreach (var topic in expected)
        {
            Assert.That(
                (await sender.Bus.SignalAsync(new SignalTopic<string>(topic), topic)).Receivers, IsCountOf(nodes: 1, subscriptions: 1));
        }

        await inbox.NextAsync(expected.Length);
        await StopAsync(subscriber);
        Assert.That(inbox.All, Is.EquivalentTo(expected));
    }

    [Test]
    public async Task A_pattern_subscription_at_run_time_works_or_is_refused()
    {
        var inbox = new Inbox<string>();
        var subscriber = await StartAsync();
        var sender = await StartAsync();
        if (!Can(TransportFeatures.Patterns))
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => subscriber.Bus.SubscribeAsync(s_any, inbox.ReceiveAsync));
            return;
        }

        await subscriber.Bus.SubscribeAsync(s_any, inbox.ReceiveAsync);
        await sender.Bus.SignalAsync(new SignalTopic<string>("event.user"), "hello");

        Assert.That(await inbox.NextAsync(), Is.EqualTo("hello"));
    }

    [Test]
    public async Task Each_matching_subscription_of_a_node_gets_a_copy_and_the_topic()
    {
        if (!Can(TransportFeatures.Patterns))
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(mesh => mesh.AddHandler(s_any, (_, _) => { })));
            return;
        }

        var seen = new Inbox<(string Subscription, string Topic)>();
        await StartAsync(mesh =>
        {
            foreach (var pattern in (string[])["event.*", "*.user", "event.user"])
            {
                mesh.AddHandler(new SignalPattern<string>(pattern), (_, context) => seen.Put((pattern, context.Topic.ToString())));
            }
        });
        var sender = await StartAsync();

        var sent = await sender.Bus.SignalAsync(new SignalTopic<string>("event.user"), "");

        Assert.That(
            await seen.NextAsync(3), Is.EquivalentTo([("event.*", "event.user"), ("*.user", "event.user"), ("event.user", "event.user")]));
        Assert.That(sent.Receivers, IsCountOf(nodes: 1, subscriptions: 3));
    }
}
