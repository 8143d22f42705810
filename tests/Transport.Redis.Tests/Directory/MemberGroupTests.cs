using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Redis.Tests.Directory;

/// <summary>Which member of a group a caller picks.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class MemberGroupTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Member[] _members;
    private readonly MemberGroup _group;

    public MemberGroupTests()
    {
        _members = [.. Enumerable.Range(0, 8).Select(i => MemberOf($"member{i}"))];
        _group = new("workers", _members, new Random(1));
    }

    [Test]
    public void Members_that_are_not_known_yet_all_take_part() =>
        Assert.That(Picked(400).Distinct().Count(), Is.EqualTo(8));

    [Test]
    public void While_answers_are_quick_a_single_caller_uses_one_member()
    {
        MakeAll(quick: true);

        Assert.That(Picked(100).Distinct(), Is.EqualTo(["member0"]));
    }

    [Test]
    public void More_requests_at_once_use_more_members()
    {
        MakeAll(quick: true);
        for (var i = 0; i < 40; i++)
        {
            Send(_members[i / 16]);
        }

        Assert.That(Picked(400).Distinct(), Is.EquivalentTo(["member0", "member1", "member2"]), "sixteen each, and the next one has room");
    }

    [Test]
    public void Slow_answers_spread_the_requests_over_all_members()
    {
        MakeAll(quick: false);

        Assert.That(Picked(400).Distinct().Count(), Is.EqualTo(8));
    }

    [Test]
    public void The_busier_one_of_two_is_not_picked()
    {
        var two = new MemberGroup("workers", _members[..2], new Random(1));
        for (var i = 0; i < 5; i++)
        {
            Send(_members[0]);
        }

        Assert.That(Enumerable.Range(0, 50).Select(_ => two.Pick(null)!.Id).Distinct(), Is.EqualTo(["member1"]));
    }

    [Test]
    public void What_was_tried_is_not_picked_again_and_the_least_busy_one_comes_next()
    {
        Send(_members[1]);
        var tried = new List<string> { "member0" };
        while (_group.Pick(tried) is { } next)
        {
            tried.Add(next.Id);
        }

        Assert.That(tried, Is.Unique.And.Count.EqualTo(8));
        Assert.That(tried[^1], Is.EqualTo("member1"));
    }

    private IEnumerable<string> Picked(int times) => [.. Enumerable.Range(0, times).Select(_ => _group.Pick(null)!.Id)];

    private void MakeAll(bool quick)
    {
        foreach (var member in _members)
        {
            var id = Send(member);
            _clock.Advance(TimeSpan.FromMilliseconds(quick ? 1 : 50));
            member.Link.Hear(new() { Kind = FrameKind.Reply, Id = id, Status = StatusCode.Ok, Headers = Headers.Empty, ContentType = "" });
        }
    }

    private static long Send(Member member)
    {
        var request = new Message { Id = new("caller", 1), Kind = MessageKind.Request, Topic = Topic.Parse("a"), ContentType = "" };
        _ = member.Link.SendAsync(request, "workers", CancellationToken.None).AsTask();
        return member.Link.LastId;
    }

    private Member MemberOf(string id) => new(
        new(id, id, "host", 1, 0, 1, true),
        new(1, 0, false),
        [],
        new(id, 0, [], (_, _) => new(WriteOutcome.Written), new() { MaxBodyBytes = 1 }, _clock, new(_clock)));
}
