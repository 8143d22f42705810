using NUnit.Framework;

namespace ServiceMesh.Redis.Tests.Replies;

/// <summary>What those who heard a request and will not answer leave of it, in every order of events.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class PendingReplyTests
{
    private static readonly Answer s_refusal = new(ReplyMessage.Failure(StatusCode.Overloaded, "full", notProcessed: true), ["a"]);

    private readonly PendingReply _waiting = new(new()
    {
        Id = new("n1", 1),
        Kind = MessageKind.Request,
        Topic = Topic.Parse("work"),
        ContentType = "application/json",
        Body = "1"u8.ToArray(),
    });

    [Test]
    public void It_is_refused_when_as_many_refuse_as_heard_it()
    {
        Assert.That(_waiting.Published(2), Is.EqualTo(Standing.Open));
        Assert.That(_waiting.Refused(s_refusal), Is.EqualTo(Standing.Open));
        Assert.That(_waiting.Refused(s_refusal), Is.EqualTo(Standing.RefusedByAll));
        Assert.That(_waiting.GroupsGone, Is.EqualTo(["a"]));
    }

    [Test]
    public void Refusals_that_come_before_PUBLISH_has_returned_count()
    {
        Assert.That(_waiting.Refused(s_refusal), Is.EqualTo(Standing.Open));
        Assert.That(_waiting.Published(1), Is.EqualTo(Standing.RefusedByAll));
    }

    [Test]
    public void It_is_deserted_when_the_rest_has_left()
    {
        _waiting.Published(3);
        _waiting.Refused(s_refusal);
        Assert.That(_waiting.Departed(["b"]), Is.EqualTo(Standing.Open));
        Assert.That(_waiting.Departed(["c", "a"]), Is.EqualTo(Standing.Deserted));
        Assert.That(_waiting.GroupsGone, Is.EquivalentTo(["a", "b", "c"]));
    }

    [Test]
    public void Without_a_count_somebody_must_count_once_one_has_refused()
    {
        Assert.That(_waiting.Published(null), Is.EqualTo(Standing.Open));
        Assert.That(_waiting.Refused(s_refusal), Is.EqualTo(Standing.Uncounted));
        Assert.That(_waiting.Published(2), Is.EqualTo(Standing.Open));
        Assert.That(_waiting.Refused(s_refusal), Is.EqualTo(Standing.RefusedByAll));
    }

    [Test]
    public async Task Whoever_ends_it_first_has_ended_it()
    {
        Assert.That(_waiting.TryEnd(ReplyMessage.NoHandler(_waiting.Request.Topic)), Is.True);
        Assert.That(_waiting.TryEnd(s_refusal.Reply), Is.False);
        _waiting.TryCancel(new(canceled: true));
        Assert.That((await _waiting.Reply).Status, Is.EqualTo(StatusCode.NotFound));
    }
}
