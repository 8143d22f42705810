using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Redis.Tests;

/// <summary>A foreign client asks a handler of ours, and cannot tell it from one of its own.</summary>
public class ForeignClientTests : InteropFixture
{
    [TestCase("200")]
    [TestCase("0")]
    [TestCase("null")]
    public async Task Our_handler_answers_on_the_channel_that_the_sender_names(string code)
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input + "!"));

        var answer = await Theirs.RequestAsync("interop.ask", "\"hello\"", "4f1c", code);

        Assert.That(
            (answer!.Channel, answer.Data, answer.Code, answer.Sender),
            Is.EqualTo(("gilmour.response.4f1c", "\"hello!\"", 200, "gilmour.response.4f1c")));
    }

    [Test]
    public async Task A_foreign_sender_that_looks_like_one_of_ours_is_answered_as_it_is()
    {
        var senders = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            senders.Put(context.Sender);
            return input;
        }));

        var answer = await Theirs.RequestAsync("interop.ask", "\"x\"", "node.5");

        Assert.That(answer!.Channel, Is.EqualTo("gilmour.response.node.5"));
        Assert.That(await senders.NextAsync(), Is.EqualTo("node.5"));
    }

    [TestCase(null)]
    [TestCase("None")]
    [TestCase("Message")]
    public async Task A_handler_that_throws_answers_500_with_a_sentence_as_the_data(string? details)
    {
        await StartAsync(
            mesh => mesh.AddHandler(Ask, string (_, _) => throw new InvalidOperationException("I never work.")),
            details is null ? [] : [("Errors:Details", details)]);

        var answer = await Theirs.RequestAsync("interop.ask", "\"x\"", "4f1c");

        Assert.That(answer!.Code, Is.EqualTo(500));
        Assert.That(answer.Data, Does.StartWith("\"").And.Contain(details == "Message" ? "I never work." : "message 4f1c"));
        Assert.That(answer.Data.Contains("I never work.", StringComparison.Ordinal), Is.EqualTo(details == "Message"));
    }

    [Test]
    public async Task A_body_that_the_handler_cannot_read_is_answered_with_400()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input));

        var answer = await Theirs.RequestAsync("interop.ask", "[1, 2]", "4f1c");

        Assert.That(answer!.Code, Is.EqualTo(400));
    }

    [Test]
    public async Task Nobody_is_there_before_our_handler_comes_and_after_it_has_gone()
    {
        Assert.That(await Theirs.RequestAsync("interop.ask", "1", "before"), Is.Null);

        var node = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input));
        Assert.That(await Theirs.RequestAsync("interop.ask", "\"x\"", "during"), Is.Not.Null);

        await node.StopAsync();
        Assert.That(await Theirs.RequestAsync("interop.ask", "1", "after"), Is.Null);
    }

    [Test]
    public async Task A_topic_that_begins_with_gilmour_is_the_channel_as_it_stands()
    {
        await StartAsync(mesh => mesh.AddHandler(new RequestTopic<string, string>("gilmour.custom.ask"), (input, _) => input));

        Assert.That((await Theirs.RequestAsync("gilmour.custom.ask", "\"x\"", "4f1c"))!.Data, Is.EqualTo("\"x\""));
    }

    [Test]
    public async Task Of_three_of_our_members_one_answers_each_foreign_request()
    {
        var handled = new Inbox<string>();
        for (var i = 0; i < 3; i++)
        {
            await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) =>
            {
                handled.Put(input);
                return input;
            }));
        }

        for (var i = 0; i < 20; i++)
        {
            Assert.That((await Theirs.RequestAsync("interop.ask", $"\"{i}\"", $"sender-{i}"))!.Data, Is.EqualTo($"\"{i}\""));
        }

        Assert.That(handled.All, Is.EqualTo(Enumerable.Range(0, 20).Select(i => $"{i}")));
    }

    [TestCase("{\"data\": 1")]
    [TestCase("\"data\"} garbage")]
    [TestCase("")]
    [TestCase("{\"data\": 1, \"sender\": {\"not\": \"text\"}}")]
    [TestCase("{\"data\": 1, \"sender\": \"s\", \"code\": 3.5}")]
    public async Task What_cannot_be_read_is_counted_and_skipped_and_the_node_lives_on(string garbage)
    {
        var node = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input));

        await Theirs.PublishAsync("gilmour.request.interop.ask", garbage);
        var answer = await Theirs.RequestAsync("interop.ask", "\"still here\"", "4f1c");

        Assert.That(answer!.Data, Is.EqualTo("\"still here\""));
        Assert.That(node.Log.Has(LogLevel.Warning, "malformed-frame"), Is.True, string.Join('\n', node.Log.Lines));
    }

    [Test]
    public async Task What_only_we_write_lies_beside_what_they_read()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            context.ReplyHeaders = Headers.Of(("shard", "7"));
            return input;
        }));

        var answer = JsonNode.Parse((await Theirs.RequestAsync("interop.ask", "\"x\"", "4f1c"))!.Payload)!.AsObject();

        Assert.That(answer.Select(member => member.Key).Take(4), Is.EqualTo(["data", "code", "sender", "mesh"]));
        Assert.That((string)answer["headers"]!["shard"]!, Is.EqualTo("7"));
    }
}
