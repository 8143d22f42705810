using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Links;

namespace ServiceMesh.Core.Tests.Links;

/// <summary>One write at a time for each target; frames that wait go out with the next write.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class OutboxTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly ScriptedPeer _peer = new();

    private Outbox Make(LinkOptions? options = null, byte[]? preamble = null) =>
        new(preamble ?? [], _peer.Write, options ?? new() { MaxBodyBytes = 1000 }, _clock);

    private static bool Add(Outbox outbox, long id, IFrameSender? sender = null, int bytes = 0, bool gather = false) => outbox.TryAdd(
        static (to, frame) =>
        {
            if (frame.bytes == 0)
            {
                FrameWriter.Cancel(to, frame.id);
            }
            else
            {
                FrameWriter.Reply(to, frame.id, new() { Status = StatusCode.Ok, Body = new byte[frame.bytes] }, 0);
            }
        },
        (id, bytes),
        sender,
        gather);

    [Test]
    public void The_first_frame_is_written_at_once_and_alone()
    {
        var outbox = Make(preamble: [1, 2, 3]);

        Assert.That(Add(outbox, 1), Is.True);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(_peer.Writes, Has.Count.EqualTo(1));
            Assert.That(_peer.Writes[0][..3], Is.EqualTo((byte[])[1, 2, 3]));
            Assert.That(_peer.Frames(0, preamble: 3).Select(f => f.Id), Is.EqualTo([1L]));
        }
    }

    [Test]
    public void Frames_added_during_a_write_go_out_together_with_the_next()
    {
        var outbox = Make();
        for (var id = 1; id <= 5; id++)
        {
            Add(outbox, id);
        }

        _peer.End(WriteOutcome.Written);

        Assert.That(() => _peer.Writes, Has.Count.EqualTo(2).After(20_000, 5));
        Assert.That(_peer.Frames(1).Select(f => f.Id), Is.EqualTo([2L, 3L, 4L, 5L]));
        _peer.End(WriteOutcome.Written);
        Assert.That(() => (outbox.Depth, outbox.IsIdle), Is.EqualTo((0, true)).After(20_000, 5));
    }

    [Test]
    public async Task A_batch_stays_within_its_size_and_a_larger_frame_goes_alone()
    {
        var outbox = Make(new() { MaxBodyBytes = 1000, MaxBatchBytes = 120 });
        Add(outbox, 1);
        Add(outbox, 2, bytes: 40);
        Add(outbox, 3, bytes: 40);
        Add(outbox, 4, bytes: 500);
        Add(outbox, 5);

        for (var write = 1; write < 5; write++)
        {
            Assert.That(() => _peer.Writes, Has.Count.EqualTo(write).After(20_000, 5));
            _peer.End(WriteOutcome.Written);
            await WaitUntil(() => _peer.Writes.Count > write || outbox.IsIdle);
        }

        Assert.That(
            _peer.Writes.Select((_, w) => _peer.Frames(w).Select(f => f.Id).ToArray()), Is.EqualTo((long[][])[[1], [2, 3], [4], [5]]));
        Assert.That(_peer.Writes.Where((_, w) => _peer.Frames(w).Length > 1).Select(w => w.Length), Is.All.LessThanOrEqualTo(120));
    }

    [TestCase(nameof(WriteResult.Written))]
    [TestCase(nameof(WriteResult.NotWritten))]
    [TestCase(nameof(WriteResult.NoReceiver))]
    [TestCase(nameof(WriteResult.Unknown))]
    public async Task Each_frame_of_a_write_is_told_its_outcome(string name)
    {
        var (outbox, result) = (Make(), Enum.Parse<WriteResult>(name));
        var (first, second, third) = (new Told(), new Told(), new Told());
        Add(outbox, 1, first);
        Add(outbox, 2, second);
        Add(outbox, 3, third);

        _peer.End(WriteOutcome.Written);
        Assert.That(() => _peer.Writes, Has.Count.EqualTo(2).After(20_000, 5));
        _peer.End(new(result, "reason"));

        await WaitUntil(() => third.Outcomes.Count > 0);
        Assert.That(
            (first.Outcomes, second.Outcomes, third.Outcomes),
            Is.EqualTo((new[] { WriteResult.Written }, new[] { result }, new[] { result })));
    }

    [Test]
    public async Task A_write_without_an_answer_ends_as_unknown_and_the_next_begins()
    {
        var outbox = Make();
        var (stuck, next) = (new Told(), new Told());
        Add(outbox, 1, stuck);
        Add(outbox, 2, next);

        _clock.Advance(TimeSpan.FromSeconds(2.9));
        outbox.Tick();
        Assert.That(stuck.Outcomes, Is.Empty, "not yet");

        _clock.Advance(TimeSpan.FromSeconds(0.1));
        outbox.Tick();
        await stuck.First.WaitAsync(TimeSpan.FromSeconds(20));

        await WaitUntil(() => _peer.Writes.Count == 2);
        Assert.That(stuck.Outcomes, Is.EqualTo([WriteResult.Unknown]));
        Assert.That(next.Outcomes, Is.Empty);
    }

    [Test]
    public async Task A_write_that_ends_after_it_was_given_up_changes_nothing()
    {
        var (slow, sent) = (new TaskCompletionSource<WriteOutcome>(), new List<byte[]>());
        var outbox = new Outbox([], (bytes, _) =>
        {
            sent.Add(bytes.ToArray());
            return sent.Count == 1 ? new(slow.Task) : new(WriteOutcome.Written);
        }, new() { MaxBodyBytes = 1000 }, _clock);
        var (given, next) = (new Told(), new Told());
        Add(outbox, 1, given);
        Add(outbox, 2, next);
        _clock.Advance(TimeSpan.FromSeconds(3));
        outbox.Tick();

        slow.SetResult(WriteOutcome.Written);
        await WaitUntil(() => outbox.IsIdle);
        Add(outbox, 3);

        Assert.That((given.Outcomes, next.Outcomes), Is.EqualTo((new[] { WriteResult.Unknown }, new[] { WriteResult.Written })));
        Assert.That((sent.Count, outbox.Depth, outbox.IsIdle), Is.EqualTo((3, 0, true)));
    }

    [Test]
    public async Task A_closed_outbox_waits_no_longer_than_a_write_may_take()
    {
        var outbox = new Outbox([], (_, _) => new(new TaskCompletionSource<WriteOutcome>().Task), new() { MaxBodyBytes = 1000 }, _clock);
        var underWay = new Told();
        Add(outbox, 1, underWay);

        var closing = outbox.CloseAsync("stopped");
        _clock.Advance(TimeSpan.FromSeconds(3));
        await closing.WaitAsync(TimeSpan.FromSeconds(20));

        Assert.That((underWay.Outcomes.Single(), outbox.IsIdle), Is.EqualTo((WriteResult.Unknown, true)));
    }

    [Test]
    public void A_write_starts_without_the_ambient_context_of_its_sender()
    {
        var ambient = new AsyncLocal<string?> { Value = "the sender's" };
        var isSuppressed = false;
        var outbox = new Outbox([], (_, _) =>
        {
            isSuppressed = ExecutionContext.IsFlowSuppressed();
            return new(WriteOutcome.Written);
        }, new() { MaxBodyBytes = 1000 }, _clock);

        Add(outbox, 1);

        Assert.That((isSuppressed, ExecutionContext.IsFlowSuppressed(), ambient.Value), Is.EqualTo((true, false, "the sender's")));
    }

    [Test]
    public void Frames_that_are_gathered_leave_together_behind_the_work_of_the_pool()
    {
        var pool = new List<IThreadPoolWorkItem>();
        var outbox = Make(new() { MaxBodyBytes = 1000, RunOnPool = pool.Add });
        Add(outbox, 1, gather: true);
        Add(outbox, 2, gather: true);
        Add(outbox, 3);
        Assert.That((pool.Count, _peer.Writes.Count), Is.EqualTo((1, 0)));

        pool[0].Execute();

        Assert.That(_peer.Frames(0).Select(f => f.Id), Is.EqualTo([1L, 2L, 3L]));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_write_does_not_wait_for_a_busy_pool(bool byTick)
    {
        var pool = new List<IThreadPoolWorkItem>();
        var outbox = Make(new() { MaxBodyBytes = 1000, RunOnPool = pool.Add });
        Add(outbox, 1, gather: true);
        outbox.Tick();
        Assert.That(_peer.Writes, Is.Empty, "the pool has its time");

        _clock.Advance(TimeSpan.FromMilliseconds(6));
        if (byTick)
        {
            outbox.Tick();
        }
        else
        {
            Add(outbox, 2, gather: true);
        }

        Assert.That(_peer.Writes, Has.Count.EqualTo(1));
        _peer.End(WriteOutcome.Written);
        Assert.That(() => outbox.IsIdle, Is.True.After(20_000, 5));
        Add(outbox, 3, gather: true);
        Assert.That((_peer.Writes.Count, pool.Count), Is.EqualTo((2, 1)), "a busy pool is not asked again at once");
        pool[0].Execute();
        Assert.That(_peer.Writes, Has.Count.EqualTo(2), "what the pool comes to late changes nothing");

        _peer.End(WriteOutcome.Written);
        Assert.That(() => outbox.IsIdle, Is.True.After(20_000, 5));
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        Add(outbox, 4, gather: true);
        Assert.That((_peer.Writes.Count, pool.Count), Is.EqualTo((2, 2)), "and it is after a tenth of a second");
    }

    [Test]
    public void A_full_outbox_refuses_by_count_and_by_bytes()
    {
        var byCount = Make(new() { MaxBodyBytes = 1000, MaxWaitingFrames = 3 });
        var byBytes = Make(new() { MaxBodyBytes = 1000, MaxWaitingBytes = 100 });

        Assert.That(Enumerable.Range(1, 5).Select(i => Add(byCount, i)), Is.EqualTo([true, true, true, false, false]));
        Assert.That(Enumerable.Range(1, 4).Select(i => Add(byBytes, i, bytes: 60)), Is.EqualTo([true, true, false, false]));
    }

    [Test]
    public void Dropping_ends_waiting_frames_as_not_written()
    {
        var outbox = Make();
        var (underWay, waits) = (new Told(), new Told());
        Add(outbox, 1, underWay);
        Add(outbox, 2, waits);

        outbox.Drop("the connection is gone");

        Assert.That((underWay.Outcomes, waits.Outcomes), Is.EqualTo((Array.Empty<WriteResult>(), new[] { WriteResult.NotWritten })));
    }

    [Test]
    public async Task A_closed_outbox_accepts_no_frames_and_ends_its_write()
    {
        var outbox = Make();
        var underWay = new Told();
        Add(outbox, 1, underWay);

        await outbox.CloseAsync("stopped");

        Assert.That((Add(outbox, 2), underWay.Outcomes.Single()), Is.EqualTo((false, WriteResult.Unknown)));
    }

    [Test]
    public void An_urgent_frame_leaves_a_held_outbox_and_what_waits_stays()
    {
        var outbox = Make();
        outbox.Hold();
        Add(outbox, 1);

        outbox.TryAdd(static (to, id) => FrameWriter.Cancel(to, id), 2L, null, urgent: true);

        Assert.That(_peer.Frames(0).Select(f => f.Id), Is.EqualTo([2L]));
        _peer.End(WriteOutcome.Written);
        Assert.That(() => outbox.Depth, Is.EqualTo(1).After(20_000, 5));
        outbox.Release();
        Assert.That(() => _peer.Writes.Count, Is.EqualTo(2).After(20_000, 5));
        Assert.That(_peer.Frames(1).Select(f => f.Id), Is.EqualTo([1L]));
    }

    [Test]
    public void An_urgent_frame_leaves_a_full_outbox()
    {
        var outbox = Make(new() { MaxBodyBytes = 1000, MaxWaitingFrames = 1 });
        outbox.Hold();
        Add(outbox, 1);

        Assert.That(Add(outbox, 2), Is.False);
        Assert.That(outbox.TryAdd(static (to, id) => FrameWriter.Cancel(to, id), 3L, null, urgent: true), Is.True);
        Assert.That(_peer.Frames(0).Select(f => f.Id), Is.EqualTo([3L]));
    }

    [Test]
    public void Urgent_frames_are_bounded_by_one_write()
    {
        var outbox = Make(new() { MaxBodyBytes = 1000, MaxBatchBytes = 100 });
        Add(outbox, 1);

        var accepted = Enumerable.Range(0, 1_000)
            .Count(id => outbox.TryAdd(static (to, id) => FrameWriter.Cancel(to, id), (long)id, null, urgent: true));

        Assert.That(accepted, Is.InRange(1, 100));
    }

    [Test]
    public async Task Dropping_what_is_held_ends_a_flush()
    {
        var outbox = Make();
        outbox.Hold();
        Add(outbox, 1);
        var flushing = outbox.FlushAsync();

        outbox.Drop("the connection is gone");

        await flushing.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Test]
    public void A_held_outbox_collects_frames_until_it_is_released()
    {
        var outbox = Make();
        outbox.Hold();
        Add(outbox, 1);
        Add(outbox, 2);
        Assert.That(_peer.Writes, Is.Empty);

        outbox.Release();

        Assert.That(_peer.Frames(0).Select(f => f.Id), Is.EqualTo([1L, 2L]));
    }

    [Test]
    public async Task Concurrent_adds_lose_and_repeat_no_frame()
    {
        var written = new List<long>();
        var texts = new TextPool();
        var outbox = new Outbox([], async (bytes, cancellationToken) =>
        {
            await Task.Yield();
            for (var left = bytes; !left.IsEmpty;)
            {
                FrameReader.Read(left, int.MaxValue, texts, out var frame, out var consumed, out _);
                written.Add(frame.Id);
                left = left[consumed..];
            }

            return WriteOutcome.Written;
        }, new() { MaxBodyBytes = 1000, MaxBatchBytes = 300 }, TimeProvider.System);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < 2_000; i++)
            {
                Assert.That(Add(outbox, (thread * 2_000) + i), Is.True);
            }
        })));
        await WaitUntil(() => outbox.IsIdle);

        Assert.That(written, Is.EquivalentTo(Enumerable.Range(0, 16_000).Select(i => (long)i)));
    }

    private static async Task WaitUntil(Func<bool> condition)
    {
        for (var i = 0; i < 2_000 && !condition(); i++)
        {
            await Task.Delay(5);
        }

        Assert.That(condition(), Is.True);
    }

    private sealed class Told : IFrameSender
    {
        private readonly TaskCompletionSource _first = new();

        public List<WriteResult> Outcomes { get; } = [];

        public Task First => _first.Task;

        public void OnSent(WriteOutcome outcome)
        {
            Outcomes.Add(outcome.Result);
            _first.TrySetResult();
        }
    }
}
