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
    private const string TheirReport = """
        {"topic": "gilmour.request.echo", "request_data": "{\"a\":1}", "user_data": "", "sender": "4f1c", "multi_process": false,
         "timestamp": "2016-03-01T10:20:30+05:30", "backtrace": "panic: no\nmain.go:7", "code": 500}
        """;

    [Test]
    public async Task Our_failure_is_published_as_a_report_that_they_read()
    {
        await Theirs.SubscribeAsync("gilmour.errors");
        await StartAsync(mesh => mesh.AddHandler(Ask, string (_, _) => throw new InvalidOperationException("I never work.")));

        await Theirs.PublishAsync("gilmour.request.interop.ask", """{"data": "hello", "code": 200, "sender": "4f1c"}""");
        var report = JsonNode.Parse((await Theirs.HearAsync()).Payload)!.AsObject();

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

    [Test]
    public async Task Their_report_reaches_our_subscriber()
    {
        var reports = new Inbox<ErrorReport>();
        await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync));

        await Theirs.PublishAsync("gilmour.errors", TheirReport);
        var report = await reports.NextAsync();

        Assert.That(
            (report.Topic, report.Kind, report.Status, report.Sender, report.Data),
            Is.EqualTo(("echo", (MessageKind?)MessageKind.Request, 500, "4f1c", "{\"a\":1}")));
        Assert.That((report.Error, report.Exception), Is.EqualTo(("panic: no", "panic: no\nmain.go:7")));
    }

    [Test]
    public async Task Two_reports_on_one_request_are_two_for_a_group_of_our_subscribers()
    {
        var reports = new Inbox<ErrorReport>();
        await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync, options => options.Group = "watch"));
        await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync, options => options.Group = "watch"));

        await Theirs.PublishAsync("gilmour.errors", TheirReport);
        await Theirs.PublishAsync("gilmour.errors", TheirReport.Replace("500", "499"));
        var both = await reports.NextAsync(2);

        Assert.That(both.Select(r => r.Status), Is.EquivalentTo([500, 499]));
        Assert.That(reports.All, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_report_that_cannot_be_read_is_counted_and_skipped()
    {
        var reports = new Inbox<ErrorReport>();
        var node = await StartAsync(mesh => mesh.AddHandler(MeshTopics.Errors, reports.ReceiveAsync), ("ErrorPolicy", "Ignore"));

        await Theirs.PublishAsync("gilmour.errors", "no report");
        await Theirs.PublishAsync("gilmour.errors", TheirReport);

        Assert.That((await reports.NextAsync()).Topic, Is.EqualTo("echo"));
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

    [Test]
    public async Task Their_reports_are_drained_in_order_with_ours_and_other_entries_are_dropped()
    {
        var node = await StartAsync(null, ("ErrorPolicy", "Ignore"));
        await Theirs.CommandAsync("LPUSH", "gilmour.errorqueue", TheirReport);
        await Theirs.CommandAsync("LPUSH", "gilmour.errorqueue", "{:topic=>\"echo\"}");
        await node.ErrorQueue.AddAsync(Report("ours"));

        var read = await node.ErrorQueue.ReadAsync(10);
        Assert.That(read.Select(r => r.Topic), Is.EqualTo(["echo", "ours"]));
        Assert.That(node.Log.Has(LogLevel.Warning, "unreadable-report"), Is.False, "it is still there");

        var drained = await node.ErrorQueue.EmptyAsync(10);
        Assert.That(drained, Is.EqualTo(read));
        Assert.That(node.Log.Has(LogLevel.Warning, "unreadable-report"), Is.True);
        Assert.That(await node.ErrorQueue.CountAsync(), Is.Zero);
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
