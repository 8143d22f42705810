using System.Text;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class DeliveryTests
{
    [Test]
    public async Task An_exception_of_a_handler_is_500_with_its_type_and_message_and_one_report()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a.b", (_, _) => throw new InvalidOperationException("out of luck"));
        var reply = await subscription.Offer(node.Request("a.b", "body-of-the-request")).RunAsync().Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(reply.Error, Is.EqualTo("The handler of 'a.b' threw InvalidOperationException: out of luck"));
        Assert.That(reply.NotProcessed, Is.False);
        var report = (await node.ReportsAsync()).Single();
        Assert.That(report.Exception, Does.Contain("out of luck").And.Contains(nameof(DeliveryTests)));
        Assert.That((report.Topic, report.Status, report.Sender, report.Group), Is.EqualTo(("a.b", 500, "caller", "_default")));
        Assert.That(report.Data, Is.EqualTo("\"body-of-the-request\""));
        Assert.That(node.Log.Has(LogLevel.Warning, "Handling a.b from caller failed with 500"), Is.True);
        Assert.That(node.Log.Lines, Has.None.Contains("body-of-the-request"));
    }

    [Test]
    public async Task A_reply_exception_answers_with_its_status_and_message()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a.b", (_, _) =>
            throw new ReplyException((StatusCode)422, "No such city.", new FormatException("inner")));
        var reply = await subscription.Offer(node.Request("a.b")).RunAsync().Soon();
        Assert.That(((int)reply.Status, reply.Error), Is.EqualTo((422, "No such city.")));
        Assert.That((await node.ReportsAsync()).Single().Exception, Does.Contain("inner"));
    }

    [Test]
    public async Task A_handler_that_throws_its_own_cancellation_has_failed()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<string, string>("a.b", (_, _) => throw new OperationCanceledException());
        Assert.That((await subscription.Offer(node.Request("a.b")).RunAsync().Soon()).Status, Is.EqualTo(StatusCode.HandlerFailed));
    }

    [TestCase("{", "line 1")]
    [TestCase("\"secret\"", "System.Int32|Int32")]
    [TestCase("", "empty")]
    [TestCase("null", "Int32")]
    public async Task A_body_that_does_not_decode_is_400_not_processed_and_the_next_one_is_served(string body, string said)
    {
        await using var node = new BareNode();
        var handled = 0;
        var subscription = node.OnRequest<int, int>("a.b", (input, _) => Task.FromResult(handled = input + 1));
        var reply = await subscription.Offer(node.Request("a.b") with { Body = Encoding.UTF8.GetBytes(body) }).RunAsync().Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.BadRequest));
        Assert.That(reply.NotProcessed, Is.True);
        Assert.That(reply.Error, Does.Match(said).And.Not.Contain("secret"));
        Assert.That(handled, Is.Zero);

        Assert.That((await subscription.Offer(node.Request("a.b", 1)).RunAsync().Soon()).Status, Is.EqualTo(StatusCode.Ok));
        Assert.That(handled, Is.EqualTo(2));
        Assert.That(subscription.Gate.Running, Is.Zero);
        Assert.That((await node.ReportsAsync()).Single().Data, Is.EqualTo(body));
    }

    [Test]
    public async Task A_content_type_without_a_serializer_is_400_and_names_the_known_ones()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<int, int>("a.b", (input, _) => Task.FromResult(input));
        var reply = await subscription.Offer(node.Request("a.b", 1) with { ContentType = "text/csv" }).RunAsync().Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.BadRequest));
        Assert.That(reply.Error, Does.Contain("'text/csv'").And.Contains("application/json"));
    }

    [Test]
    public async Task A_reply_above_the_limit_is_413_and_the_handler_counts_as_processed()
    {
        await using var node = new BareNode(o => o.Request.MaxBodyBytes = 10);
        var subscription = node.OnRequest<int, string>("a.b", (size, _) => Task.FromResult(new string('x', size)));
        Assert.That(
            (await subscription.Offer(node.Request("a.b", 8)).RunAsync().Soon()).Status,
            Is.EqualTo(StatusCode.Ok),
            "the body has 10 bytes with its quotes");
        var reply = await subscription.Offer(node.Request("a.b", 9)).RunAsync().Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.BodyTooLarge));
        Assert.That(reply.NotProcessed, Is.False);
        Assert.That(reply.Error, Does.Contain("11 bytes; 10 are allowed"));
    }

    [Test]
    public async Task An_answer_that_cannot_be_encoded_is_500()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<int, double>("a.b", (_, _) => Task.FromResult(double.NaN));
        Assert.That((await subscription.Offer(node.Request("a.b", 1)).RunAsync().Soon()).Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(subscription.Gate.Running, Is.Zero);
    }

    [Test]
    public async Task A_handler_that_returns_null_instead_of_a_task_fails_like_one_that_throws()
    {
        await using var node = new BareNode();
        var subscription = node.OnRequest<int, int>("a.b", (_, _) => null!);
        Assert.That((await subscription.Offer(node.Request("a.b", 1)).RunAsync().Soon()).Status, Is.EqualTo(StatusCode.HandlerFailed));
    }

    [Test]
    public async Task A_failed_signal_is_reported_by_its_handlers_node_for_every_status()
    {
        await using var node = new BareNode();
        var statuses = new Queue<StatusCode>([StatusCode.Unavailable, StatusCode.DeadlinePassed, (StatusCode)422]);
        var subscription = node.OnSignalWith("a.*", new(), (_, context) =>
        {
            context.Status = statuses.Dequeue();
            return Task.CompletedTask;
        });
        for (var i = 0; i < 3; i++)
        {
            await subscription.Offer(node.Signal("a.b", "x")).RunAsync().Soon();
        }

        var reports = await node.ReportsAsync();
        Assert.That(reports.Select(r => r.Status), Is.EqualTo(new[] { 503, 408, 422 }));
        Assert.That(reports.Select(r => r.Kind), Has.All.EqualTo(MessageKind.Signal));
    }

    [Test]
    public async Task A_signal_that_ends_in_the_queue_is_lost_with_a_log_line_and_a_report()
    {
        await using var node = new BareNode();
        var release = Failsafe.Signal();
        var subscription = node.OnSignalWith("a.b", new() { MaxConcurrency = 1 }, (_, _) => release.Task);
        var running = subscription.Offer(node.Signal("a.b", "x")).RunAsync();
        var queued = subscription.Offer(node.Signal("a.b", "y")).RunAsync().AsTask();
        await node.State.CancelHandlersAsync();
        await queued.Soon();
        release.SetResult();
        await running.Soon();
        Assert.That(node.Log.Has(LogLevel.Warning, "Lost a message on a.b (gave-up-queued)"), Is.True);
        Assert.That((await node.ReportsAsync()).Select(r => r.Data), Is.EquivalentTo(new[] { "\"x\"", "\"y\"" }));
    }

    [Test]
    public async Task A_withdrawn_delivery_gives_its_place_to_the_next()
    {
        await using var node = new BareNode();
        var subscription = node.OnSignalWith("a.b", new() { MaxConcurrency = 1, MaxQueued = 2 });
        var first = subscription.Offer(node.Signal("a.b", "1"));
        var second = subscription.Offer(node.Signal("a.b", "2"));
        var third = subscription.Offer(node.Signal("a.b", "3"));
        second.Withdraw();
        first.Withdraw();
        await third.RunAsync().Soon();
        Assert.That((subscription.Gate.Running, subscription.Gate.Waiting), Is.EqualTo((0, 0)));
    }
}
