using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Http.Tests;

/// <summary>What the answers to the copies of one signal mean.</summary>
public sealed class SessionCopiesTests
{
    private static readonly LinkAnswer s_taken = new(AnswerKind.Reply, new ReplyMessage { Status = StatusCode.Ok });
    private static readonly LinkAnswer s_notSent = LinkAnswer.NotSent("the session ends");
    private static readonly LinkAnswer s_lost = LinkAnswer.Lost("the session broke");
    private static readonly LinkAnswer s_refused =
        new(AnswerKind.Refusal, ReplyMessage.Failure(StatusCode.Overloaded, "it is full", notProcessed: true));

    [Test]
    public void Only_groups_that_were_not_sent_need_another_member_when_the_rest_fails()
    {
        var sent = SessionCopies.Of(["taken", "left", "lost"], [s_taken, s_notSent, s_lost], TimeSpan.Zero);
        var receipt = sent.WithoutRest("refuses connections");

        Assert.That(receipt.Receivers, Is.EqualTo(1), "the receiver that is known stays counted");
        Assert.That(receipt.Refused, Is.EqualTo([new Refusal("left", 503, "refuses connections")]));
    }

    [Test]
    public void A_group_that_was_refused_needs_another_member_beside_the_rest()
    {
        var sent = SessionCopies.Of(["refused", "left"], [s_refused, s_notSent], TimeSpan.Zero);

        Assert.That(sent.WithoutRest("refuses connections").Refused.Select(r => r.Group), Is.EqualTo(["refused", "left"]));
        Assert.That(sent.With(new(1, [])).Refused.Select(r => r.Group), Is.EqualTo(["refused"]));
    }

    [Test]
    public void Copies_that_were_not_sent_or_were_lost_are_not_an_answer()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(SessionCopies.Of(["", "a"], [s_notSent, s_notSent], TimeSpan.Zero).HasAnswer, Is.False);
            Assert.That(SessionCopies.Of(["a"], [s_lost], TimeSpan.Zero).HasAnswer, Is.False);
            Assert.That(SessionCopies.Of(["a", "b"], [s_notSent, s_taken], TimeSpan.Zero).HasAnswer, Is.True);
            Assert.That(SessionCopies.Of(["a", "b"], [s_notSent, s_refused], TimeSpan.Zero).HasAnswer, Is.True);
        }
    }
}
