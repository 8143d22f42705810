using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Redis.Tests;

/// <summary>Signals between their nodes and ours: plain, by wildcard, in groups.</summary>
public class ForeignSignalTests : InteropFixture
{
    [Test]
    public async Task Their_signal_reaches_each_of_our_subscribers()
    {
        var (one, two) = (new Inbox<string>(), new Inbox<string>());
        await StartAsync(mesh => mesh.AddHandler(News, one.ReceiveAsync));
        await StartAsync(mesh => mesh.AddHandler(News, two.ReceiveAsync));

        Assert.That(await Theirs.SignalAsync("interop.news", "\"rain\"", "s1"), Is.EqualTo(2));

        Assert.That((await one.NextAsync(), await two.NextAsync()), Is.EqualTo(("rain", "rain")));
    }

    [Test]
    public async Task Our_signal_reaches_their_subscribers_by_name_and_by_wildcard()
    {
        var sender = await StartAsync();
        await Theirs.SubscribeAsync("gilmour.slot.interop.news");
        await Theirs.SubscribeAsync("gilmour.slot.interop.*");

        Assert.That((await sender.Bus.SignalAsync(News, "rain")).Receivers, Is.EqualTo(2));

        var (one, two) = (await Theirs.HearAsync(), await Theirs.HearAsync());
        Assert.That((one.Channel, one.Data), Is.EqualTo(("gilmour.slot.interop.news", "\"rain\"")));
        Assert.That(two.Payload, Is.EqualTo(one.Payload));
    }

    [Test]
    public async Task Their_signal_reaches_our_wildcard_subscribers_as_far_as_our_patterns_go()
    {
        var (rest, middle) = (new Inbox<string>(), new Inbox<string>());
        await StartAsync(mesh => mesh
            .AddHandler(new SignalPattern<string>("event.*"), (value, context) => rest.Put($"{context.Topic}: {value}"))
            .AddHandler(new SignalPattern<string>("event.*.created"), (value, context) => middle.Put($"{context.Topic}: {value}")));

        await Theirs.SignalAsync("event.user.created", "\"one\"", "s1");
        await Theirs.SignalAsync("event.user.eu.created", "\"two\"", "s2");
        await Theirs.SignalAsync("event.user.created", "\"three\"", "s3");

        Assert.That(
            await rest.NextAsync(3),
            Is.EquivalentTo(["event.user.created: one", "event.user.eu.created: two", "event.user.created: three"]));
        Assert.That(await middle.NextAsync(2), Is.EquivalentTo(["event.user.created: one", "event.user.created: three"]));
    }

    [TestCase("\"rain\"", "\"rain\"")]
    [TestCase("[1,2]", "[1,2]")]
    [TestCase("{\"weather\": \"rain\"}", "{\"weather\": \"rain\"}")]
    [TestCase("{\"data\": \"rain\"}", "\"rain\"")]
    public async Task A_payload_that_is_not_an_envelope_is_the_data(string payload, string data)
    {
        var heard = new Inbox<string>();
        await StartAsync(
            mesh => mesh.AddHandler(new SignalTopic<JsonElement>("interop.news"), (value, _) => heard.Put(value.GetRawText())));

        await Theirs.PublishAsync("gilmour.slot.interop.news", payload);

        Assert.That(await heard.NextAsync(), Is.EqualTo(data));
    }

    [Test]
    public async Task What_cannot_be_read_is_counted_and_skipped_and_the_node_lives_on()
    {
        var heard = new Inbox<string>();
        var node = await StartAsync(mesh => mesh.AddHandler(News, heard.ReceiveAsync));

        await Theirs.PublishAsync("gilmour.slot.interop.news", "rain");
        await Theirs.SignalAsync("interop.news", "\"sun\"", "s1");

        Assert.That(await heard.NextAsync(), Is.EqualTo("sun"));
        Assert.That(node.Log.Has(LogLevel.Warning, "malformed-frame"), Is.True);
    }

    [Test]
    public async Task Of_their_member_and_ours_in_one_group_exactly_one_has_each_signal()
    {
        const int Signals = 100;
        var ours = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(News, ours.ReceiveAsync, options => options.Group = "workers"));
        var sender = await StartAsync();
        await Theirs.SubscribeAsync("gilmour.slot.interop.news");

        for (var i = 0; i < Signals; i++)
        {
            // Half of them are ours, half theirs: the claim is the same.
            await (i % 2 == 0 ? (Task)sender.Bus.SignalAsync(News, $"{i}") : Theirs.SignalAsync("interop.news", $"\"{i}\"", $"s{i}"));
        }

        var theirs = new List<string>();
        for (var i = 0; i < Signals; i++)
        {
            var heard = await Theirs.HearAsync();
            if (await Theirs.ClaimAsync(heard, "workers"))
            {
                theirs.Add(JsonSerializer.Deserialize<string>(heard.Data)!);
            }
        }

        await Failsafe.UntilAsync(() => ours.All.Count + theirs.Count >= Signals);
        Assert.That(ours.All.Concat(theirs), Is.EquivalentTo(Enumerable.Range(0, Signals).Select(i => $"{i}")));
    }

    [Test]
    public async Task What_their_member_has_claimed_ours_leaves_alone()
    {
        var ours = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(News, ours.ReceiveAsync, options => options.Group = "workers"));

        await Theirs.CommandAsync("SET", "s1workers", "s1workers", "NX", "EX", "600");
        await Theirs.SignalAsync("interop.news", "\"theirs\"", "s1");
        await Theirs.SignalAsync("interop.news", "\"ours\"", "s2");

        Assert.That(await ours.NextAsync(), Is.EqualTo("ours"));
        Assert.That(await Theirs.CommandAsync("EXISTS", "s2workers"), Is.EqualTo(1L), "and the other way round");
    }

    [Test]
    public async Task A_signal_whose_topic_begins_with_gilmour_goes_both_ways_as_it_stands()
    {
        var topic = new SignalTopic<string>("gilmour.custom.news");
        var heard = new Inbox<string>();
        var node = await StartAsync(mesh => mesh.AddHandler(topic, heard.ReceiveAsync));
        await Theirs.SubscribeAsync("gilmour.custom.news");

        await Theirs.SignalAsync("gilmour.custom.news", "\"theirs\"", "s1");
        Assert.That((await heard.NextAsync(), (await Theirs.HearAsync()).Data), Is.EqualTo(("theirs", "\"theirs\"")));

        await node.Bus.SignalAsync(topic, "ours");
        Assert.That((await heard.NextAsync(), (await Theirs.HearAsync()).Data), Is.EqualTo(("ours", "\"ours\"")));
    }
}
