using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

public sealed class RebuildQueueTests
{
    [Test]
    public async Task Who_asks_while_one_runs_waits_for_one_more_and_shares_it()
    {
        using var go = new SemaphoreSlim(0);
        using var begun = new SemaphoreSlim(0);
        var runs = 0;
        await using var rebuilds = new RebuildQueue(() =>
        {
            Interlocked.Increment(ref runs);
            begun.Release();
            go.Wait(TimeSpan.FromSeconds(30));
        });

        var first = rebuilds.AskAsync();
        await begun.WaitAsync().InTime();
        Task[] others = [rebuilds.AskAsync(), rebuilds.AskAsync(), rebuilds.AskAsync()];
        go.Release();
        await first.InTime();
        await begun.WaitAsync().InTime();

        Assert.That(others.Any(o => o.IsCompleted), Is.False);
        go.Release();
        await Task.WhenAll(others).InTime();
        Assert.That(runs, Is.EqualTo(2));
    }

    [Test]
    public async Task They_run_on_no_thread_of_who_asks()
    {
        var thread = 0;
        using var ran = new ManualResetEventSlim();
        await using var rebuilds = new RebuildQueue(() =>
        {
            thread = Environment.CurrentManagedThreadId;
            ran.Set();
        });

        _ = rebuilds.AskAsync();
        var hasRun = ran.Wait(TimeSpan.FromSeconds(30)); // keeps this thread, so that it cannot be the one

        Assert.That((hasRun, thread == Environment.CurrentManagedThreadId), Is.EqualTo((true, false)));
    }

    [Test]
    public async Task What_one_throws_is_told_to_who_asked_and_the_next_is_another()
    {
        var fails = true;
        await using var rebuilds = new RebuildQueue(() =>
        {
            if (fails)
            {
                throw new NotSupportedException();
            }
        });

        Assert.That(async () => await rebuilds.AskAsync().InTime(), Throws.InstanceOf<NotSupportedException>());
        fails = false;
        Assert.That(async () => await rebuilds.AskAsync().InTime(), Throws.Nothing);
    }

    [Test]
    public async Task The_end_waits_for_the_last_and_begins_no_other()
    {
        using var go = new SemaphoreSlim(0);
        using var begun = new SemaphoreSlim(0);
        var runs = 0;
        var rebuilds = new RebuildQueue(() =>
        {
            Interlocked.Increment(ref runs);
            begun.Release();
            go.Wait(TimeSpan.FromSeconds(30));
        });
        _ = rebuilds.AskAsync();
        await begun.WaitAsync().InTime();

        var ending = rebuilds.DisposeAsync().AsTask();
        var late = rebuilds.AskAsync();

        Assert.That((ending.IsCompleted, late.IsCompletedSuccessfully), Is.EqualTo((false, true)));
        go.Release();
        await ending.InTime();
        Assert.That(runs, Is.EqualTo(1));
    }
}
