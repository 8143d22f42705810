using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class ReplyTests
{
    [Test]
    public void A_successful_reply_returns_its_value()
    {
        var reply = Reply<int>.Success(7, Headers.Of(("a", "1")), (StatusCode)201);
        Assert.That(reply.GetValueOrThrow(), Is.EqualTo(7));
        Assert.That(reply.IsSuccess, Is.True);
        Assert.That(reply.Status, Is.EqualTo((StatusCode)201));
        Assert.That(reply.Headers["a"], Is.EqualTo("1"));
        Assert.That(reply.Failure, Is.Null);
    }

    [Test]
    public void A_failure_throws_and_may_have_a_value_beside_its_status()
    {
        var reply = Reply<string>.Failed(new(StatusCode.HandlerFailed, "a", "b"), value: "details");
        Assert.That(reply.IsSuccess, Is.False);
        Assert.That(reply.Value, Is.EqualTo("details"));
        Assert.That(reply.GetValueOrThrow, Throws.TypeOf<HandlerFailedException>());
        Assert.That(reply.Headers, Is.SameAs(Headers.Empty));
    }

    [Test]
    public void A_NoHandler_reply_names_the_topic_and_gives_advice()
    {
        var reply = ReplyMessage.NoHandler(Topic.Parse("weather.fetch"));
        Assert.That(reply.Status, Is.EqualTo(StatusCode.NotFound));
        Assert.That(reply.NotProcessed, Is.True);
        Assert.That(reply.Error, Does.Contain("'weather.fetch'").And.Contains("same transport"));
    }

    [Test]
    public void The_caller_reports_exactly_the_failures_that_no_handler_can_know()
    {
        var byCaller =
            from status in Enum.GetValues<StatusCode>().Where(s => s.IsFailure)
            from notProcessed in new[] { true, false }
            where ReplyMessage.Failure(status, "x", notProcessed).IsReportedByCaller
            select (status, notProcessed);
        Assert.That(byCaller, Is.EquivalentTo(new[]
        {
            (StatusCode.NotFound, true),
            (StatusCode.BodyTooLarge, true),
            (StatusCode.Overloaded, true),
            (StatusCode.DeadlinePassed, true), (StatusCode.DeadlinePassed, false),
            (StatusCode.Unavailable, true), (StatusCode.Unavailable, false),
        }));
    }

    [Test]
    public void A_message_id_is_a_node_and_a_number_or_a_foreign_text()
    {
        Assert.That(new MessageId("node", 12).ToString(), Is.EqualTo("node.12"));
        Assert.That(new MessageId("foreign-id", -1).ToString(), Is.EqualTo("foreign-id"));
    }

    [TestCase(0, false)]
    [TestCase(1, true)]
    [TestCase(null, true)]
    public void A_signal_was_received_unless_the_receiver_count_is_zero(int? receivers, bool received) =>
        Assert.That(new SignalResult(receivers).WasReceived, Is.EqualTo(received));

    [Test]
    public void A_reply_prints_its_status_and_its_value_or_its_failure()
    {
        Assert.That($"{Reply.Succeeded(7)}", Is.EqualTo("200 Ok: 7"));
        Assert.That(
            $"{Reply.Failed<int>(StatusCode.Unavailable, "weather.fetch", "The node is down.")}",
            Is.EqualTo("503 Unavailable at 'weather.fetch': The node is down."));
    }

    [Test]
    public void A_signal_result_prints_its_receivers_and_its_failures()
    {
        Assert.That($"{new SignalResult(1)}", Is.EqualTo("1 receiver"));
        Assert.That($"{new SignalResult(2) { Failures = ["a: down"] }}", Is.EqualTo("2 receivers; not received: a: down"));
        Assert.That($"{new SignalResult((int?)null)}", Is.EqualTo("sent; the transport cannot count receivers"));
    }
}
