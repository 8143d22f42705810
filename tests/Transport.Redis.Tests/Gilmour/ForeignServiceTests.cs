using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Redis.Tests;

/// <summary>A client of ours asks a foreign service, and takes what it answers as one of ours would have meant it.</summary>
public class ForeignServiceTests : InteropFixture
{
    [TestCase("\"code\": 200")]
    [TestCase("\"code\": 0")]
    [TestCase("\"code\": null")]
    [TestCase("")]
    public async Task Its_answer_is_our_reply(string code)
    {
        var caller = await StartAsync();
        await Theirs.ReplyToAsync("interop.ask");

        var asking = caller.Bus.RequestAsync(Ask, "hello");
        var request = await Theirs.HearAsync();
        Assert.That((request.Channel, request.Data), Is.EqualTo(("gilmour.request.interop.ask", "\"hello\"")));
        Assert.That(request.Sender, Does.StartWith(caller.Bus.DescribeNode().Id + "."));
        Assert.That(await Theirs.ClaimAsync(request, "_default"), Is.True, "no other node has claimed it");
        Assert.That(await Theirs.AnswerAsync(request, "\"hello!\"", code), Is.EqualTo(1));

        Assert.That(await asking, Is.EqualTo("hello!"));
    }

    [Test]
    public async Task Its_panic_is_our_500_with_the_stack_as_the_message()
    {
        var caller = await StartAsync();
        await Theirs.ReplyToAsync("interop.ask");

        var asking = caller.Bus.TryRequestAsync(Ask, "hello");
        await Theirs.AnswerAsync(await Theirs.HearAsync(), "\"goroutine 7 [running]:\\nmain.main()\"", "\"code\": 500");
        var reply = await asking;

        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(reply.Failure!.Message, Is.EqualTo("goroutine 7 [running]:\nmain.main()"));
        Assert.That(reply.Failure.NotProcessed, Is.False);
    }

    [TestCase("\"data\": 1, \"code\": 99999")]
    [TestCase("\"data\": 1, \"code\": -5")]
    [TestCase("\"data\": 1, \"code\": 1")]
    [TestCase("\"data\": 1, \"code\": \"two hundred\"")]
    [TestCase("\"data\": 1, \"mesh\": 1, \"headers\": {\"a b\": \"c\"}")]
    [TestCase("\"data\": ")]
    public async Task An_answer_that_cannot_be_read_ends_the_request_with_500(string members)
    {
        var caller = await StartAsync(null, ("ErrorPolicy", "Ignore"));
        await Theirs.ReplyToAsync("interop.ask");

        var asking = caller.Bus.TryRequestAsync(Ask, "hello");
        var request = await Theirs.HearAsync();
        await Theirs.PublishAsync($"gilmour.response.{request.Sender}", $"{{{members}}}");
        var reply = await asking;

        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(reply.Failure!.Message, Does.StartWith("The reply cannot be read. "));
    }

    [Test]
    public async Task Its_timeout_is_our_499()
    {
        var caller = await StartAsync();
        await Theirs.ReplyToAsync("interop.ask");

        var asking = caller.Bus.TryRequestAsync(Ask, "hello");
        await Theirs.AnswerAsync(await Theirs.HearAsync(), "\"Execution timed out\"", "\"code\": 499");
        var reply = await asking;

        Assert.That((reply.Status, reply.Failure!.Message), Is.EqualTo((StatusCode.HandlerTimeout, "Execution timed out")));
    }

    [Test]
    public async Task A_failure_with_an_object_as_its_data_keeps_the_data()
    {
        var caller = await StartAsync();
        await Theirs.ReplyToAsync("interop.ask");

        var asking = caller.Bus.TryRequestAsync(new RequestTopic<string, JsonObject>("interop.ask"), "hello");
        await Theirs.AnswerAsync(await Theirs.HearAsync(), """{"field": "name"}""", "\"code\": 422");
        var reply = await asking;

        Assert.That(((int)reply.Status, (string)reply.Value!["field"]!), Is.EqualTo((422, "name")));
    }

    [Test]
    public async Task A_service_without_an_instance_is_404_at_once()
    {
        var caller = await StartAsync();
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "hello")).Status, Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task A_topic_that_begins_with_gilmour_is_the_channel_as_it_stands()
    {
        var caller = await StartAsync();
        await Theirs.ReplyToAsync("gilmour.custom.ask");

        var asking = caller.Bus.RequestAsync(new RequestTopic<string, string>("gilmour.custom.ask"), "hello");
        await Theirs.AnswerAsync(await Theirs.HearAsync(), "\"hello!\"");

        Assert.That(await asking, Is.EqualTo("hello!"));
    }

    [Test]
    public async Task Of_their_member_and_ours_in_one_group_exactly_one_handles_each_request()
    {
        const int Requests = 100;
        var ours = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) =>
        {
            ours.Put(input);
            return input;
        }));
        var caller = await StartAsync();
        await Theirs.ReplyToAsync("interop.ask");
        var theirs = ServeAsync(Requests);

        await Task.WhenAll(Enumerable.Range(0, Requests).Select(i => caller.Bus.RequestAsync(Ask, $"{i}")));

        Assert.That(ours.All.Concat(await theirs), Is.EquivalentTo(Enumerable.Range(0, Requests).Select(i => $"{i}")));
    }

    [TestCase("My::Subscriber")]
    [TestCase("größe/1.0")]
    public async Task A_group_may_have_the_name_that_theirs_has(string group)
    {
        var ours = new Inbox<string>();
        await StartAsync(mesh => mesh.AddHandler(
            Ask,
            (input, _) =>
            {
                ours.Put(input);
                return input;
            },
            options => options.Group = group));
        var caller = await StartAsync();
        Assert.That(
            (await caller.Bus.ListNodesAsync()).SelectMany(n => n.Subscriptions).Select(s => s.Group), Does.Contain(group));

        await Theirs.CommandAsync("SET", $"claimed{group}", $"claimed{group}", "NX", "EX", "600");
        await Theirs.PublishAsync("gilmour.request.interop.ask", """{"data":"theirs","code":0,"sender":"claimed"}""");
        Assert.That((await Theirs.RequestAsync("interop.ask", "\"ours\"", "free"))!.Data, Is.EqualTo("\"ours\""));

        Assert.That(ours.All, Is.EqualTo(["ours"]));
    }

    [TestCase("event*")]
    [TestCase("*user*")]
    public void A_pattern_outside_our_grammar_is_refused_when_it_is_made(string pattern) =>
        Assert.That(() => new SignalPattern<string>(pattern), Throws.TypeOf<FormatException>().With.Message.Contains(pattern));

    [TestCase("user:created")]
    [TestCase("a/b")]
    [TestCase("größe")]
    public void A_topic_outside_our_grammar_is_refused_when_it_is_made(string topic) =>
        Assert.That(() => new RequestTopic<string, string>(topic), Throws.TypeOf<FormatException>().With.Message.Contains(topic));

    [Test]
    public async Task A_group_outside_our_grammar_is_refused_on_the_native_wire()
    {
        var refusal = await Assert.CatchAsync(() => StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input, options => options.Group = "My::Subscriber"), ("Redis:Wire", "Native")));

        Assert.That(refusal!.Message, Does.Contain("'My::Subscriber'; letters, digits, '-' and '_' are allowed"));
    }

    // Takes every request that it hears and may have.
    private async Task<List<string>> ServeAsync(int requests)
    {
        var handled = new List<string>();
        for (var i = 0; i < requests; i++)
        {
            var request = await Theirs.HearAsync();
            if (await Theirs.ClaimAsync(request, "_default"))
            {
                handled.Add((string)JsonNode.Parse(request.Data)!);
                await Theirs.AnswerAsync(request, request.Data);
            }
        }

        return handled;
    }
}
