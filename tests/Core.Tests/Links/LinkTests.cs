using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>The requests of one node to another: each ends once, with a known outcome.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LinkTests
{
    private static readonly string s_topic = "links.ask";

    private readonly FakeTimeProvider _clock = new();
    private readonly ScriptedPeer _peer = new() { Always = WriteOutcome.Written };
    private Link _link = null!;
    private string? _death;

    [SetUp]
    public void Make()
    {
        _link = new("peer", 0, [], _peer.Write, new() { MaxBodyBytes = 1000, RunOnPool = item => item.Execute() }, _clock, new(_clock))
        {
            OnDead = (_, reason) => _death = reason,
        };
    }

    private Message Request(TimeSpan? deadline = null, MessageKind kind = MessageKind.Request) => new()
    {
        Id = new("me", 5),
        Kind = kind,
        Topic = Topic.Parse(s_topic),
        ContentType = "application/json",
        Body = "1"u8.ToArray(),
        Deadline = deadline is { } time ? Deadline.After(time, _clock) : Deadline.None,
    };

    private Task<LinkAnswer> Ask(TimeSpan? deadline = null, CancellationToken cancellationToken = default) =>
        _link.SendAsync(Request(deadline), "workers", cancellationToken).AsTask();

    [Test]
    public async Task A_reply_ends_the_request_with_its_id()
    {
        var (first, second) = (Ask(), Ask());

        _link.Hear(
            new()
            {
                Kind = FrameKind.Reply,
                Id = 2,
                Status = StatusCode.Ok,
                Headers = Headers.Empty,
                ContentType = "",
                Body = "two"u8.ToArray(),
            });

        var answer = await second;
        Assert.That((answer.Kind, answer.Reply.Status, first.IsCompleted), Is.EqualTo((AnswerKind.Reply, StatusCode.Ok, false)));
        Assert.That(_link.Outstanding, Is.EqualTo(1));
    }

    [Test]
    public async Task A_refusal_allows_another_member()
    {
        var asking = Ask();

        _link.Hear(new() { Kind = FrameKind.Refusal, Id = 1, Status = StatusCode.Overloaded, Error = "full" });

        var answer = await asking;
        Assert.That(
            (answer.Kind, answer.MayGoElsewhere, answer.Reply.Status, answer.Reply.NotProcessed),
            Is.EqualTo((AnswerKind.Refusal, true, StatusCode.Overloaded, true)));
    }

    [TestCase(nameof(WriteResult.NotWritten), nameof(AnswerKind.NotSent))]
    [TestCase(nameof(WriteResult.NoReceiver), nameof(AnswerKind.NoReceiver))]
    [TestCase(nameof(WriteResult.Unknown), nameof(AnswerKind.Lost))]
    public async Task A_failed_write_reports_whether_the_request_may_have_run(string result, string kind)
    {
        _peer.Always = new(Enum.Parse<WriteResult>(result), "why");

        var answer = await Ask();

        Assert.That((answer.Kind.ToString(), answer.Reply.NotProcessed), Is.EqualTo((kind, kind != nameof(AnswerKind.Lost))));
        Assert.That(answer.Reply.Error, Does.Contain("why"));
        Assert.That(_link.IsIdle, Is.True);
    }

    [Test]
    public async Task A_lost_link_ends_written_requests_as_unknown_and_the_rest_as_not_sent()
    {
        _peer.Always = null;
        var (underWay, waits) = (Ask(), Ask());

        _link.EndAll("The connection broke.");

        Assert.That(((await underWay).Kind, (await waits).Kind), Is.EqualTo((AnswerKind.Lost, AnswerKind.NotSent)));
    }

    [Test]
    public async Task A_request_that_its_caller_cancels_sends_a_cancellation_and_ends_at_once()
    {
        using var givesUp = new CancellationTokenSource();
        var asking = Ask(cancellationToken: givesUp.Token);

        await givesUp.CancelAsync();

        Assert.That(async () => await asking, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(_peer.Frames(1).Select(f => (f.Kind, f.Id)), Is.EqualTo([(FrameKind.Cancel, 1L)]));
        Assert.That(_link.Hear(new() { Kind = FrameKind.Reply, Id = 1, Status = StatusCode.Ok }), Is.False, "the reply is late");
    }

    [Test]
    public async Task A_deadline_ends_a_request_that_nothing_else_ends()
    {
        var asking = Ask(TimeSpan.FromSeconds(1));
        _clock.Advance(TimeSpan.FromSeconds(1));

        _link.Tick(canHear: true);

        Assert.That((await asking).Reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
    }

    [Test]
    public async Task A_silent_peer_is_pinged_and_then_considered_dead()
    {
        var asking = Ask(TimeSpan.FromMinutes(1));
        _clock.Advance(TimeSpan.FromSeconds(1));
        _link.Tick(canHear: true);
        Assert.That(_peer.Frames(1).Single().Kind, Is.EqualTo(FrameKind.Ping));

        _clock.Advance(TimeSpan.FromSeconds(2));
        _link.Tick(canHear: true);

        Assert.That((await asking).Kind, Is.EqualTo(AnswerKind.Lost));
        Assert.That(_death, Does.Contain("peer"));
    }

    [Test]
    public void A_peer_that_answers_pings_is_alive_however_long_its_handler_takes()
    {
        var asking = Ask(TimeSpan.FromMinutes(5));
        for (var i = 0; i < 60; i++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            _link.Tick(canHear: true);
            _link.Hear(new() { Kind = FrameKind.Pong, Id = 1 });
        }

        Assert.That((asking.IsCompleted, _death), Is.EqualTo((false, (string?)null)));
    }

    [Test]
    public void A_peer_is_not_considered_dead_while_this_node_is_deaf()
    {
        var asking = Ask(TimeSpan.FromMinutes(5));
        for (var i = 0; i < 60; i++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            _link.Tick(canHear: false);
        }

        Assert.That((asking.IsCompleted, _death), Is.EqualTo((false, (string?)null)));
    }

    [Test]
    public async Task A_peer_without_a_connection_is_dead_after_two_seconds()
    {
        var asking = Ask(TimeSpan.FromMinutes(1));
        _peer.Always = new(WriteResult.NoReceiver, "gone");
        _clock.Advance(TimeSpan.FromSeconds(1));
        _link.Tick(canHear: true);
        Assert.That(asking.IsCompleted, Is.False, "the peer may be replacing its connection");

        _clock.Advance(TimeSpan.FromSeconds(1));
        _link.Tick(canHear: true);

        Assert.That((await asking).Kind, Is.EqualTo(AnswerKind.Lost));
    }

    [Test]
    public async Task A_request_that_the_peer_does_not_have_ends_as_lost()
    {
        var asking = Ask(TimeSpan.FromMinutes(1));
        _clock.Advance(TimeSpan.FromSeconds(2));
        _link.HearAnything();
        _link.Tick(canHear: true);
        Assert.That(_peer.Frames(1).Select(f => (f.Kind, f.Id, f.IsAboutRequest)), Is.EqualTo([(FrameKind.Ping, 1L, true)]));

        _link.Hear(new() { Kind = FrameKind.Pong, Id = 1, IsAboutRequest = true });

        Assert.That((await asking).Kind, Is.EqualTo(AnswerKind.Lost));
    }

    [Test]
    public void A_peer_that_had_a_gap_is_asked_about_everything_at_once()
    {
        _ = Ask(TimeSpan.FromMinutes(1));
        _link.AskForAll();

        _link.Tick(canHear: true);

        Assert.That(_peer.Frames(1).Select(f => (f.Kind, f.Id, f.IsAboutRequest)), Is.EqualTo([(FrameKind.Ping, 1L, true)]));
    }

    [Test]
    public async Task A_signal_that_is_neither_accepted_nor_refused_counts_as_delivered()
    {
        var sending = _link.SendAsync(Request(kind: MessageKind.Signal), "workers", default).AsTask();
        _clock.Advance(TimeSpan.FromSeconds(3));

        _link.Tick(canHear: true);

        Assert.That((await sending).Kind, Is.EqualTo(AnswerKind.Reply));
    }

    [Test]
    public async Task A_reply_beyond_the_limit_ends_the_request_with_413()
    {
        var asking = Ask();

        _link.Hear(
            new()
            {
                Kind = FrameKind.Reply,
                Id = 1,
                Status = StatusCode.Ok,
                Headers = Headers.Empty,
                ContentType = "",
                Body = new byte[1001],
            });

        var reply = (await asking).Reply;
        Assert.That((reply.Status, reply.NotProcessed), Is.EqualTo((StatusCode.BodyTooLarge, false)));
    }

    private void SendMoreThanMayBeUnconfirmed()
    {
        _link = new(
            "peer",
            0,
            [],
            _peer.Write,
            new() { MaxBodyBytes = 100_000, MaxUnconfirmedBytes = 20_000, MaxBatchBytes = 1_000, RunOnPool = item => item.Execute() },
            _clock,
            new(_clock));
        var large = Request() with { Body = new byte[4_000] };
        for (var i = 0; i < 20; i++)
        {
            _ = _link.SendAsync(large, "workers", default).AsTask();
        }
    }

    [Test]
    public void Writing_stops_while_the_peer_has_not_confirmed_what_was_written()
    {
        SendMoreThanMayBeUnconfirmed();
        var written = _peer.Writes.Count;
        var ping = Enumerable.Range(0, written).SelectMany(w => _peer.Frames(w)).Single(f => f.Kind == FrameKind.Ping);
        Assert.That(_peer.Writes.Sum(w => w.Length), Is.LessThan(30_000), "the rest waits");

        _link.Hear(new() { Kind = FrameKind.Pong, Id = ping.Id });

        Assert.That(_peer.Writes, Has.Count.GreaterThan(written));
    }

    [Test]
    public void A_link_that_waits_for_a_confirmation_still_gives_one()
    {
        SendMoreThanMayBeUnconfirmed();
        var written = _peer.Writes.Count;

        _link.Pong(7, stamp: 1, load: 0);

        Assert.That(_peer.Writes, Has.Count.EqualTo(written + 1), "or two such links wait for each other");
        Assert.That(_peer.Frames(written).Select(f => (f.Kind, f.Id)), Is.EqualTo([(FrameKind.Pong, 7L)]));
    }

    [Test]
    public void A_confirmation_that_is_lost_does_not_stop_a_link_whose_peer_talks()
    {
        SendMoreThanMayBeUnconfirmed();
        var written = _peer.Writes.Count;
        for (var second = 0; second < 12; second++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            _link.HearAnything();
            _link.Tick(canHear: true);
        }

        Assert.That(_peer.Writes, Has.Count.GreaterThan(written));
        Assert.That(_death, Is.Null);
    }

    [Test]
    public void The_load_adds_outstanding_requests_and_the_peers_load_from_other_nodes()
    {
        _ = Ask();
        _ = Ask();
        Assert.That(_link.Load, Is.EqualTo(2));

        _link.Hear(new() { Kind = FrameKind.Pong, Load = 12 });
        Assert.That(_link.Load, Is.EqualTo(12));

        _link.Tick(canHear: true);
        Assert.That(_link.Load, Is.EqualTo(7), "the reported load of others decays");
    }

    [Test]
    public async Task An_answer_tells_load_readiness_and_when_to_try_again()
    {
        var (reply, refusal) = (Ask(), Ask());

        _link.Hear(new()
        {
            Kind = FrameKind.Reply,
            Id = 1,
            Status = StatusCode.Ok,
            Headers = Headers.Empty,
            ContentType = "",
            Load = 7,
            IsLeaving = true,
        });
        _link.Hear(new() { Kind = FrameKind.Refusal, Id = 2, Status = StatusCode.Overloaded, Load = 9, RetryAfter = 1500 });

        Assert.That(((await reply).Load, (await reply).IsLeaving), Is.EqualTo(((int?)7, true)));
        Assert.That(
            ((await refusal).Load, (await refusal).IsLeaving, (await refusal).Reply.RetryAfter),
            Is.EqualTo(((int?)9, false, (TimeSpan?)TimeSpan.FromSeconds(1.5))));
    }

    [Test]
    public void A_link_that_keeps_alive_ends_when_a_silent_peer_does_not_answer()
    {
        _link = new("peer", 0, [], _peer.Write, new() { MaxBodyBytes = 1000, PingsWhenIdle = true }, _clock, new(_clock))
        {
            OnDead = (_, reason) => _death = reason,
        };

        TickFor(1.25);
        Assert.That(_peer.Frames(0).Single().Kind, Is.EqualTo(FrameKind.Ping));
        TickFor(2.25);

        Assert.That(_death, Does.Contain("has not answered for"));

        void TickFor(double seconds)
        {
            for (var time = 0.0; time < seconds; time += 0.25)
            {
                _clock.Advance(TimeSpan.FromSeconds(0.25));
                _link.Tick(canHear: true);
            }
        }
    }

    [Test]
    public void A_pong_measures_the_clock_of_the_peer()
    {
        var shared = new SharedClock(_clock);
        _link = new("peer", 0, [], _peer.Write, new() { MaxBodyBytes = 1000 }, _clock, shared);
        var asked = _clock.GetTimestamp();
        _clock.Advance(TimeSpan.FromMilliseconds(100));

        _link.Hear(new() { Kind = FrameKind.Pong, Stamp = asked, ClockId = 5, ClockTime = 1_000_000 });

        Assert.That((shared.Id, shared.Now), Is.EqualTo((5u, (long?)1_000_050)));
        var stamped = shared.Stamp(Deadline.After(TimeSpan.FromSeconds(1), _clock));
        Assert.That((stamped.ClockId, stamped.Instant), Is.EqualTo((5u, 1_001_050L)));
    }

    [TestCase(3.0)]
    [TestCase(-1.0)]
    public void A_measurement_that_took_too_long_or_no_time_is_ignored(double seconds)
    {
        var shared = new SharedClock(_clock);
        _link = new("peer", 0, [], _peer.Write, new() { MaxBodyBytes = 1000 }, _clock, shared);
        var asked = _clock.GetTimestamp() - (long)(seconds * _clock.TimestampFrequency);

        _link.Hear(new() { Kind = FrameKind.Pong, Stamp = asked, ClockId = 5, ClockTime = 1_000_000 });

        Assert.That(shared.Now, Is.Null);
    }

    [Test]
    public void A_node_answers_pings_with_its_own_clock_and_judges_deadlines_by_it()
    {
        var own = SharedClock.OfThisNode(_clock, 5);
        _link = new("peer", 0, [], _peer.Write, new() { MaxBodyBytes = 1000 }, _clock, own);

        _link.Pong(1, 2, load: 0);

        var pong = _peer.Frames(0).Single();
        Assert.That((pong.ClockId, pong.ClockTime), Is.EqualTo((5u, own.Now!.Value)));
        _clock.Advance(TimeSpan.FromSeconds(3)); // a request that the network held back
        var judged = own.Judge(new FrameDeadline(1000, 5, pong.ClockTime + 1000));
        Assert.That(judged.HasPassed, Is.True);
    }

    [Test]
    public void A_reply_that_the_peer_does_not_accept_is_answered_with_413()
    {
        _link = new("peer", 0, [], _peer.Write, new() { MaxBodyBytes = 1000 }, _clock, new(_clock)) { MaxReplyBytes = 10 };

        _link.Answer(1, new() { Status = StatusCode.Ok, ContentType = "", Body = new byte[11] }, load: 0, gather: false);

        var sent = _peer.Frames(0).Single();
        Assert.That((sent.Kind, sent.Status, sent.NotProcessed), Is.EqualTo((FrameKind.Reply, StatusCode.BodyTooLarge, false)));
        Assert.That(sent.Error, Does.Contain("11 bytes").And.Contain("accepts 10"));
    }

    [Test]
    public void A_link_can_leave_deadlines_to_the_tokens_of_callers()
    {
        var options = new LinkOptions { MaxBodyBytes = 1000, EndsAtDeadline = false, SignalMemory = Timeout.InfiniteTimeSpan };
        _link = new("peer", 0, [], _peer.Write, options, _clock, new(_clock));
        var request = Ask(TimeSpan.FromSeconds(1));
        var signal = _link.SendAsync(Request(kind: MessageKind.Signal), "workers", default).AsTask();

        _clock.Advance(TimeSpan.FromSeconds(10));
        _link.Tick(canHear: false);

        Assert.That((request.IsCompleted, signal.IsCompleted), Is.EqualTo((false, false)));
    }
}
