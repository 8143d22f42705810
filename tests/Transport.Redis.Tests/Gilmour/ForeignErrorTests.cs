using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>Error reports, published and queued, read by their tools and by ours.</summary>
public class ForeignErrorTests : InteropFixture
{
    [TestCase(null, "gilmour.errors")]
    [TestCase("gilmour.errors", "gilmour.errors")]
    [TestCase("gilmour.error", "gilmour.error")]
    public async Task Our_failure_is_published_as_a_report_that_they_read(string? configured, string channel)
    {
        await Theirs.SubscribeAsync("gilmour.error*");
        await StartAsync(
            mesh => mesh.AddHandler(Ask, string (_, _) => throw new InvalidOperationException("I never work.")),
            configured is null ? [] : [("Redis:Gilmour:ErrorChannel", configured)]);

        await Theirs.PublishAsync("gilmour.request.interop.ask", """{"data": "hello", "code": 200, "sender": "4f1c"}""");
        var heard = await Theirs.HearAsync();
        var report = JsonNode.Parse(heard.Payload)!.AsObject();

        Assert.That(heard.Channel, Is.EqualTo(channel));
        Assert.That((string)report["topic"]!, Is.EqualTo("interop.ask"));
        Assert.That((string)report["request_data"]!, Is.EqualTo("\"hello\""));
        Assert.That((string)report["user_data"]!, Does.Contain("I never work."));
        Assert.That((string)report["sender"]!, Is.EqualTo("4f1c"));
        Assert.That((bool)report["multi_process"]!, Is.False);
        Assert.That(DateTimeOffset.Parse((string)report["timestamp"]!), Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
        Assert.That((string)report["backtrace"]!, Does.StartWith("System.InvalidOperationException: I never work."));
        Assert.That((int)report["code"]!, Is.EqualTo(500));
    }

    [Test]
    public async Task Our_failure_reaches_our_subscriber_with_nothing_lost()
    {
        var reports = new Inbox<(ErrorReport Report, string Sender)>();
        var observer = await StartAsync(
            mesh => mesh.AddHandler(MeshTopics.Errors, (report, context) => reports.Put((report, context.Sender))));
        var server = await StartAsync(
            mesh => mesh.AddHandler(
                Ask,
                string (_, _) => throw new InvalidOperationException("I never work."),
                options => options.Group = "g"));

        await observer.Bus.TryRequestAsync(Ask, "Grüße");
        var (report, sender) = await reports.NextAsync();

        Assert.That(sender, Is.EqualTo(server.Bus.DescribeNode().Id));
        Assert.That(
            (report.Topic, report.Kind, report.Status, report.Sender, report.Node, report.Group, report.DataEncoding),
            Is.EqualTo((
                "interop.ask", (MessageKind?)MessageKind.Request, 500,
                observer.Bus.DescribeNode().Id, server.Bus.DescribeNode().Id, "g", "utf-8")));
        Assert.That(report.Exception, Does.StartWith("System.InvalidOperationException: I never work."));
    }

    [TestCase("gilmour.errors", RealBytes.GoReply, "unknown", MessageKind.Request, 418, "teapot")]
    [TestCase("gilmour.errors", RealBytes.GoSlot, "event.slow", MessageKind.Signal, 499, "A Gilmour node reported 499.")]
    [TestCase("gilmour.error", RealBytes.RubyPublished, "r.fail", MessageKind.Request, 418, "teapot")]
    public async Task Their_report_reaches_our_subscriber_on_either_channel(
        string channel, string payload, string topic, MessageKind kind, int status, string error)
    {
        var reports = new Inbox<ErrorReport>();
        await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync));

        Assert.That(await Theirs.PublishAsync(channel, payload), Is.EqualTo(1));
        var report = await reports.NextAsync();

        Assert.That(
            (report.Topic, report.Kind, report.Status, report.MessageId, report.Error),
            Is.EqualTo((topic, (MessageKind?)kind, status, "node-1.1", error)));
    }

    [Test]
    public async Task A_subscriber_that_has_left_hears_neither_channel()
    {
        var node = await StartAsync();
        var subscription = await node.Bus.SubscribeAsync(MeshTopics.Errors, (_, _) => Task.CompletedTask);
        Assert.That(await NumbersAsync(), Is.EqualTo((1L, 1L)));

        await subscription.DisposeAsync();

        Assert.That(await NumbersAsync(), Is.EqualTo((0L, 0L)));

        async Task<(long, long)> NumbersAsync()
        {
            var counted = (object?[])(await Theirs.CommandAsync("PUBSUB", "NUMSUB", "gilmour.errors", "gilmour.error"))!;
            return ((long)counted[1]!, (long)counted[3]!);
        }
    }

    [Test]
    public async Task An_unknown_error_channel_is_refused_with_both_names()
    {
        var refusal = await Assert.CatchAsync(() => StartAsync(null, ("Redis:Gilmour:ErrorChannel", "errors")));

        Assert.That(refusal!.Message, Is.EqualTo(
            "ServiceMesh:Redis:Gilmour:ErrorChannel is 'errors'; write gilmour.errors for Go or gilmour.error for Ruby."));
    }

    [Test]
    public async Task Two_reports_on_one_request_are_two_for_a_group_of_our_subscribers()
    {
        var reports = new Inbox<ErrorReport>();
        await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync, options => options.Group = "watch"));
        await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync, options => options.Group = "watch"));

        await Theirs.PublishAsync("gilmour.errors", RealBytes.GoReply);
        await Theirs.PublishAsync("gilmour.error", RealBytes.RubyPublished.Replace("418", "419"));
        var both = await reports.NextAsync(2);

        Assert.That(both.Select(r => r.Status), Is.EquivalentTo([418, 419]));
        Assert.That(reports.All, Has.Count.EqualTo(2));
    }

    [TestCase("gilmour.errors")]
    [TestCase("gilmour.error")]
    public async Task A_report_that_cannot_be_read_is_counted_and_skipped(string channel)
    {
        var reports = new Inbox<ErrorReport>();
        var node = await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync), ("ErrorPolicy", "Ignore"));

        await Theirs.PublishAsync(channel, RealBytes.RubyQueued);
        await Theirs.PublishAsync(channel, RealBytes.RubyPublished);

        Assert.That((await reports.NextAsync()).Topic, Is.EqualTo("r.fail"));
        Assert.That(node.Log.Has(LogLevel.Warning, "malformed-frame"), Is.True);
    }

    [Test]
    public async Task Our_failure_is_queued_where_they_look_and_as_they_read_it()
    {
        var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, string (_, _) => throw new InvalidOperationException("I never work.")), ("ErrorPolicy", "Queue"));

        await Theirs.RequestAsync("interop.ask", "\"hello\"", "4f1c");
        await Failsafe.UntilAsync(async () => await server.ErrorQueue.CountAsync() == 1);
        var entry = JsonNode.Parse((string)(await Theirs.CommandAsync("LINDEX", "gilmour.errorqueue", "0"))!)!;

        Assert.That(((string)entry["topic"]!, (string)entry["sender"]!, (int)entry["code"]!), Is.EqualTo(("interop.ask", "4f1c", 500)));
        Assert.That((await server.ErrorQueue.EmptyAsync(10)).Single().Node, Is.EqualTo(server.Bus.DescribeNode().Id));
    }

    [TestCase("\"teapot\"", 418, "teapot")]
    [TestCase("{\"why\":\"x\"}", 422, "The handler failed.")]
    [TestCase("\"Execution timed out\"", 499, "Execution timed out")]
    [TestCase("\"panic\"", 500, "panic")]
    public async Task The_failure_of_their_handler_is_reported_by_our_caller(string data, int code, string error)
    {
        var caller = await StartAsync(null, ("ErrorPolicy", "Queue"));
        await Theirs.ReplyToAsync("interop.ask");

        var asking = caller.Bus.TryRequestAsync(Ask, "hello");
        await Theirs.AnswerAsync(await Theirs.HearAsync(), data, $"\"code\": {code}");
        await asking;
        await Failsafe.UntilAsync(async () => await caller.ErrorQueue.CountAsync() > 0);
        var report = (await caller.ErrorQueue.ReadAsync(10)).Single();

        Assert.That(
            (report.Topic, report.Status, report.Error, report.Data, report.Node),
            Is.EqualTo(("interop.ask", code, error, "\"hello\"", caller.Bus.DescribeNode().Id)));
    }

    [Test]
    public async Task The_failure_of_our_handler_is_reported_once()
    {
        var server = await StartAsync(
            mesh => mesh.AddHandler(Ask, string (input, _) => throw new InvalidOperationException(input)), ("ErrorPolicy", "Queue"));
        var caller = await StartAsync(null, ("ErrorPolicy", "Queue"));

        await caller.Bus.TryRequestAsync(Ask, "first");
        await caller.StopAsync();
        await server.StopAsync();

        // Both have filed what they had when they stopped.
        Assert.That(await Theirs.CommandAsync("LLEN", "gilmour.errorqueue"), Is.EqualTo(1L));
    }

    [Test]
    public async Task Their_entries_are_drained_in_order_with_ours_and_none_is_destroyed()
    {
        var node = await StartAsync(null, ("ErrorPolicy", "Ignore"));
        await Theirs.CommandAsync("LPUSH", "gilmour.errorqueue", RealBytes.GoReply);
        await Theirs.CommandAsync("LPUSH", "gilmour.errorqueue", RealBytes.RubyQueued);
        await node.ErrorQueue.AddAsync(Report("ours"));

        var read = await node.ErrorQueue.ReadAsync(10);
        Assert.That(read.Select(r => r.Error), Is.EqualTo(
            ["teapot", "The queue has an entry that is not a report in JSON. Its text is the data.", "It failed."]));
        Assert.That(read[1].Data, Is.EqualTo(RealBytes.RubyQueued));

        var taken = await node.ErrorQueue.TakeAsync(10);
        // An entry without a time has that of its reading.
        Assert.That(taken.Select(t => t.Report.Id), Is.EqualTo(read.Select(r => r.Id)));
        Assert.That(await Theirs.CommandAsync("LLEN", "gilmour.errorqueue"), Is.EqualTo(3L), "taking removes nothing");

        foreach (var report in taken)
        {
            Assert.That(await node.ErrorQueue.AcknowledgeAsync(report), Is.True);
        }

        Assert.That(await node.ErrorQueue.CountAsync(), Is.Zero);
        Assert.That(node.Log.Has(LogLevel.Warning, "unreadable-report"), Is.False);

        await Theirs.CommandAsync("LPUSH", "gilmour.errorqueue", RealBytes.RubyQueued);
        var again = await node.ErrorQueue.ReplayAsync((await node.ErrorQueue.TakeAsync(1)).Single());
        Assert.That((again.Outcome, await node.ErrorQueue.CountAsync()), Is.EqualTo((ReplayOutcome.NotReplayable, 1)));
    }

    [Test]
    public async Task The_message_of_their_report_is_replayed()
    {
        var seen = new Inbox<(string Input, string? First)>();
        var node = await StartAsync(mesh => mesh.AddHandler(Ask, (input, context) =>
        {
            seen.Put((input, context.Headers[Headers.ReplayOf]));
            return input;
        }));
        await Theirs.CommandAsync(
            "LPUSH", "gilmour.errorqueue",
            """{"topic": "gilmour.request.interop.ask", "request_data": "\"hello\"", "sender": "4f1c", "backtrace": "no", "code": 500}""");

        var taken = (await node.ErrorQueue.TakeAsync(1)).Single();
        Assert.That(await Theirs.CommandAsync("LLEN", "gilmour.errorqueue"), Is.EqualTo(1L), "they still see it");
        var result = await node.ErrorQueue.ReplayAsync(taken);

        Assert.That(result.Outcome, Is.EqualTo(ReplayOutcome.Replayed), result.Detail);
        Assert.That(await seen.NextAsync(), Is.EqualTo(("hello", "4f1c")));
        Assert.That(await Theirs.CommandAsync("LLEN", "gilmour.errorqueue"), Is.Zero);
    }

    private static ErrorReport Report(string topic) => new()
    {
        Topic = topic,
        Status = 500,
        Error = "It failed.",
        MessageId = "n.1",
        Id = "ours-1",
        Sender = "n",
        Node = "m",
        Time = DateTimeOffset.UnixEpoch,
    };
}
