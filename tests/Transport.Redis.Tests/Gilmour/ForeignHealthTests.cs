using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace ServiceMesh.Redis.Tests;

/// <summary>Their monitor finds and probes our nodes; our list of nodes has theirs.</summary>
public class ForeignHealthTests : InteropFixture
{
    [Test]
    public async Task Our_node_is_known_while_it_runs()
    {
        var node = await StartAsync();
        var info = node.Bus.DescribeNode();

        Assert.That(await KnownAsync(), Is.EqualTo([$"{info.Host}-pid-{info.ProcessId}-uuid-{info.Id}", "active"]));

        await node.StopAsync();
        Assert.That(await KnownAsync(), Is.Empty);
    }

    [Test]
    public async Task Their_probe_is_answered_with_the_channels_that_we_listen_to()
    {
        await StartAsync(mesh => mesh
            .AddHandler(Ask, (input, _) => input)
            .AddHandler(new SignalPattern<string>("event.*"), (_, _) => { })
            .AddHandler(new SignalPattern<string>("event.*"), (_, _) => { }));
        var ident = (await KnownAsync())[0];

        var answer = await Theirs.RequestAsync($"gilmour.health.{ident}", "\"ping\"", "4f1c");

        Assert.That(answer!.Code, Is.EqualTo(200));
        Assert.That(Channels(answer), Does.Contain("gilmour.request.interop.ask"));
        Assert.That(Channels(answer).Count(c => c == "gilmour.slot.event.*"), Is.EqualTo(1));
        Assert.That(Channels(answer), Has.None.StartsWith("gilmour.response.").And.None.StartsWith("gilmour.health."));
    }

    [TestCase("garbage")]
    [TestCase("\"no sender\"")]
    public async Task A_probe_that_cannot_be_answered_is_skipped(string garbage)
    {
        await StartAsync();
        var ident = (await KnownAsync())[0];

        await Theirs.PublishAsync($"gilmour.health.{ident}", garbage);

        Assert.That(await Theirs.RequestAsync($"gilmour.health.{ident}", "\"ping\"", "4f1c"), Is.Not.Null);
    }

    [Test]
    public async Task Their_nodes_that_answer_a_probe_are_listed_with_their_topics_beside_ours()
    {
        var node = await StartAsync();
        await Theirs.CommandAsync("HSET", "gilmour.known_host.health", "host.one-pid-17-uuid-1d", "true");
        await Theirs.CommandAsync("HSET", "gilmour.known_host.health", "gone-pid-18-uuid-2d", "active");
        await Theirs.SubscribeAsync("gilmour.health.host.one-pid-17-uuid-1d");

        var listing = node.Bus.ListNodesAsync();
        var probe = await Theirs.HearAsync();
        Assert.That((probe.Channel, probe.Data), Is.EqualTo(("gilmour.health.host.one-pid-17-uuid-1d", "\"ping\"")));
        await Theirs.AnswerAsync(probe, """["gilmour.request.echo", "gilmour.slot.event.*", "gilmour.errors"]""");
        var listed = await listing;

        Assert.That(listed.Select(n => n.Id), Is.EquivalentTo([node.Bus.DescribeNode().Id, "host.one-pid-17-uuid-1d"]));
        var theirs = listed.Single(n => n.Id != node.Bus.DescribeNode().Id);
        Assert.That((theirs.Name, theirs.Host, theirs.ProcessId), Is.EqualTo(("gilmour", "host.one", 17)));
        Assert.That(theirs.Subscriptions, Is.EquivalentTo(
        [
            new SubscriptionInfo { Kind = MessageKind.Request, Pattern = "echo" },
            new SubscriptionInfo { Kind = MessageKind.Signal, Pattern = "event.*" },
            new SubscriptionInfo { Kind = MessageKind.Request, Pattern = "gilmour.errors" },
        ]));
    }

    [Test]
    public async Task A_Gilmour_node_that_is_silent_or_answers_nonsense_does_not_delay_the_list()
    {
        var node = await StartAsync();
        foreach (var ident in (string[])["silent-pid-1-uuid-1", "babbling-pid-2-uuid-2", "not a topic"])
        {
            await Theirs.CommandAsync("HSET", "gilmour.known_host.health", ident, "true");
        }

        await Theirs.SubscribeAsync("gilmour.health.silent-pid-1-uuid-1");
        await Theirs.SubscribeAsync("gilmour.health.babbling-pid-2-uuid-2");

        var listing = node.Bus.ListNodesAsync();
        for (var i = 0; i < 2; i++)
        {
            var probe = await Theirs.HearAsync();
            if (probe.Channel.Contains("babbling", StringComparison.Ordinal))
            {
                await Theirs.AnswerAsync(probe, """{"no": "list"}""");
            }
        }

        Assert.That((await listing).Select(n => n.Id), Is.EqualTo([node.Bus.DescribeNode().Id]));
    }

    private async Task<string[]> KnownAsync() =>
        [.. ((object?[])(await Theirs.CommandAsync("HGETALL", "gilmour.known_host.health"))!).Cast<string>()];

    private static string[] Channels(Heard answer) => [.. JsonNode.Parse(answer.Data)!.AsArray().Select(channel => (string)channel!)];
}
