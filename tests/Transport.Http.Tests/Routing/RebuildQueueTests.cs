using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

public sealed class RebuildQueueTests
{
    [Test]
    public async Task Callers_during_a_rebuild_share_the_next_one()
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
    public async Task A_rebuild_does_not_run_on_the_thread_of_a_caller()
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
    public async Task The_callers_of_a_rebuild_receive_its_exception()
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
    public async Task Disposal_waits_for_the_last_rebuild_and_begins_no_other()
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
