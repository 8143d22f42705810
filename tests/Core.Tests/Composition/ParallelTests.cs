using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

public sealed class ParallelTests
{
    [Test]
    public async Task Values_have_the_order_of_the_branches_and_not_the_order_of_completion()
    {
        await using var node = await Steps.NodeAsync();
        TaskCompletionSource[] ended = [Failsafe.Signal(), Failsafe.Signal(), Failsafe.Signal()];
        // The last one ends first: each waits for the one after it.
        var steps = Enumerable.Range(0, 3).Select(i => Compose.Lambda(async (int x, CancellationToken _) =>
        {
            await (i < 2 ? ended[i + 1].Task : Task.CompletedTask);
            ended[i].SetResult();
            return x + i;
        }));
        Assert.That(await node.Bus.ExecuteAsync(Compose.Parallel(steps), 10).Soon(), Is.EqualTo(new[] { 10, 11, 12 }));
    }

    [TestCase(int.MaxValue)]
    [TestCase(2)]
    public async Task The_highest_status_wins_and_every_reply_is_kept_in_order(int bound)
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(
            Compose.Parallel(
                bound, Steps.Add1, Steps.Fail((StatusCode)418, "low"), Steps.Fail(StatusCode.Unavailable, "high"), Steps.Double),
                7).Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(reply.Failure!.Step, Is.EqualTo("high"));
        Assert.That(reply.Failure.Message, Does.Contain("2 of 4").And.Contains("'high'"));
        Assert.That(reply.Failure.Parts.Select(p => (int)p.Status), Is.EqualTo(new[] { 200, 418, 503, 200 }));
        Assert.That(((Reply<int>)reply.Failure.Parts[3]).Value, Is.EqualTo(14), "successful replies are kept too");
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(7)]
    public async Task A_bound_is_reached_and_never_exceeded(int bound)
    {
        await using var node = await Steps.NodeAsync();
        var (running, most) = (0, 0);
        var full = Failsafe.Signal();
        var steps = Enumerable.Range(0, 20).Select(i => Compose.Lambda(async (int x, CancellationToken _) =>
        {
            var now = Interlocked.Increment(ref running);
            lock (full)
            {
                most = Math.Max(most, now);
            }

            if (now == bound)
            {
                full.TrySetResult();
            }

            // Each branch waits until as many run as are allowed, so the bound is really reached.
            await full.Task;
            await Task.Yield();
            Interlocked.Decrement(ref running);
            return i;
        }));
        Assert.That(await node.Bus.ExecuteAsync(Compose.Parallel(bound, steps), 0).Soon(), Is.EqualTo(Enumerable.Range(0, 20)));
        Assert.That(most, Is.EqualTo(bound));
    }

    [TestCaseSource(nameof(LocalSteps))]
    public async Task Without_a_bound_all_branches_run_at_once_even_if_they_block_their_thread(
        Func<Composition<int, int>, Composition<int, int>> around)
    {
        await using var node = await Steps.NodeAsync();
        using var together = new Barrier(3);
        var step = around(Compose.Lambda((int x) => together.SignalAndWait(TimeSpan.FromSeconds(20)) ? x : -1));
        Assert.That(await node.Bus.ExecuteAsync(Compose.Parallel(step, step, step), 5).Soon(), Is.EqualTo(new[] { 5, 5, 5 }));
    }

    [Test]
    public async Task A_branch_that_fails_does_not_stop_the_others()
    {
        await using var node = await Steps.NodeAsync();
        var (failed, release) = (Failsafe.Signal(), Failsafe.Signal());
        var ended = false;
        var running = node.Bus.TryExecuteAsync(Compose.Parallel(
            Compose.Lambda((int _) =>
            {
                failed.SetResult();
                return int.Parse("no number", System.Globalization.CultureInfo.InvariantCulture);
            }),
            Compose.Lambda(async (int x, CancellationToken _) =>
            {
                await release.Task;
                ended = true;
                return x;
            })), 1);
        await failed.Task.Soon();
        Assert.That(running.IsCompleted, Is.False, "a branch does not outlive the call");
        release.SetResult();
        Assert.That((await running.Soon()).Status, Is.EqualTo(StatusCode.HandlerFailed));
        Assert.That(ended, Is.True);
    }

    [Test]
    public async Task Parallel_nests_in_parallel_and_in_pipes()
    {
        await using var node = await Steps.NodeAsync();
        var form = Steps.Add1 | Compose.Parallel(
            Compose.Parallel(Steps.Add1, Steps.Double).Pipe(both => both.Sum()),
            Steps.Double | Compose.Parallel(Steps.Add1, Steps.Double).Pipe(both => both.Sum()));
        // 4 -> (5 + 8), 8 -> (9 + 16)
        Assert.That(await node.Bus.ExecuteAsync(form, 3).Soon(), Is.EqualTo(new[] { 13, 25 }));
    }

    [TestCase(int.MaxValue)]
    [TestCase(2)]
    public async Task The_callers_cancellation_ends_all_branches_and_is_thrown(int bound)
    {
        await using var node = await Steps.NodeAsync();
        using var caller = new CancellationTokenSource();
        var cancelled = 0;
        using var entered = new CountdownEvent(2);
        var step = Compose.Lambda(async (int x, CancellationToken token) =>
        {
            entered.Signal();
            try
            {
                await Task.Delay(Timeout.Infinite, token);
            }
            finally
            {
                Interlocked.Increment(ref cancelled);
            }

            return x;
        });
        var never = Compose.Lambda((int x) => bound == 2 ? throw new AssertionException("began after the cancellation") : x);
        var running = node.Bus.ExecuteAsync(Compose.Parallel(bound, step, step, never), 1, caller.Token);
        await Task.Run(() => entered.Wait(TimeSpan.FromSeconds(20)));
        await caller.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => running.Soon());
        await Failsafe.Until(() => cancelled == 2);
    }

    private static IEnumerable<TestCaseData> LocalSteps =>
    [
        Case("alone", step => step),
        Case("piped", step => step | Steps.Add1 | Compose.Lambda((int x) => x - 1)),
        Case("after a failure", step => Steps.Fail((StatusCode)418).OrOr(step)),
        Case("after a missing handler", step => Steps.Unhandled.OrOr(step)),
        Case("after a success", step => Steps.Add1.AndAnd(step)),
        Case("second of a batch", step => Compose.Batch(Steps.Unhandled, step)),
        Case("second of a record", step => Compose.Record(Steps.Unhandled, step).Pipe(replies => replies[1].Value)),
        Case("merged", step => step.Merge(x => x)),
    ];

    private static TestCaseData Case(string name, Func<Composition<int, int>, Composition<int, int>> around) =>
        new TestCaseData(around).SetArgDisplayNames(name);
}
