using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Functions of the application that keep their thread, or end when nothing waits for them.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LocalCodeTests
{
    private static readonly RequestOptions s_threeSeconds = new() { Timeout = TimeSpan.FromSeconds(3) };

    private readonly FakeTimeProvider _clock = new();

    [TestCase(false)]
    [TestCase(true)]
    public async Task Code_that_keeps_its_thread_holds_up_neither_the_caller_nor_the_deadline(bool inMerge)
    {
        await using var node = await NodeAsync();
        using var release = new ManualResetEventSlim();
        var entered = Failsafe.Signal();
        var running = node.Bus.TryExecuteAsync(Blocking(entered, release, inMerge), 1, s_threeSeconds);
        await entered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(3));
        var reply = await running.Soon();
        release.Set();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, false)));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Code_that_keeps_its_thread_does_not_hold_up_the_callers_cancellation(bool inMerge)
    {
        await using var node = await NodeAsync();
        using var release = new ManualResetEventSlim();
        using var caller = new CancellationTokenSource();
        var entered = Failsafe.Signal();
        var running = node.Bus.TryExecuteAsync(Blocking(entered, release, inMerge), 1, caller.Token);
        await entered.Task.Soon();
        await caller.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => running.Soon());
        release.Set();
    }

    [Test]
    public async Task Code_that_keeps_its_thread_does_not_hold_up_its_siblings()
    {
        await using var node = await NodeAsync();
        using var release = new ManualResetEventSlim();
        var entered = Failsafe.Signal();
        var sibling = Failsafe.Signal();
        var running = node.Bus.ExecuteAsync(
            Compose.Parallel(
                Blocking(entered, release, inMerge: true),
                Blocking(entered, release, inMerge: false),
                Steps.Add1.Pipe(x =>
                {
                    sibling.SetResult();
                    return x;
                })),
            1);
        await sibling.Task.Soon();
        release.Set();
        Assert.That(await running.Soon(), Is.EqualTo(new[] { 1, 1, 2 }));
    }

    [Test]
    public async Task A_merge_is_not_run_when_time_is_up()
    {
        await using var node = await NodeAsync();
        var merged = false;
        var late = Compose.Lambda((int x) =>
        {
            _clock.Advance(TimeSpan.FromSeconds(3));
            return x;
        });
        var merge = Steps.Add1.Merge(x =>
        {
            merged = true;
            return x;
        });
        var reply = await node.Bus.TryExecuteAsync(Compose.Batch(late, merge), 1, s_threeSeconds).Soon();
        Assert.That((reply.Status, merged), Is.EqualTo((StatusCode.DeadlinePassed, false)));
    }

    [Test]
    public async Task A_lambda_that_throws_after_its_deadline_leaves_no_unobserved_exception()
    {
        await using var node = await NodeAsync();
        var unobserved = 0;
        void Count(object? sender, UnobservedTaskExceptionEventArgs e)
        {
            if (e.Exception.InnerExceptions.Any(inner => inner is InvalidTimeZoneException))
            {
                Interlocked.Increment(ref unobserved);
            }
        }

        TaskScheduler.UnobservedTaskException += Count;
        try
        {
            await ThrowLateAsync(node);

            // The task is collected and its finalizer reports what was not observed.
            for (var i = 0; i < 10; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                await Task.Yield();
            }
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Count;
        }

        Assert.That(unobserved, Is.Zero);
    }

    private async Task ThrowLateAsync(TestNode node)
    {
        var (entered, release, thrown) = (Failsafe.Signal(), Failsafe.Signal(), Failsafe.Signal());
        var running = node.Bus.TryExecuteAsync(
            Compose.Lambda(async (int x, CancellationToken _) =>
            {
                entered.SetResult();
                await release.Task;
                thrown.SetResult();
                return x > 0 ? throw new InvalidTimeZoneException() : x;
            }),
            1, s_threeSeconds);
        await entered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(3));
        Assert.That((await running.Soon()).Status, Is.EqualTo(StatusCode.DeadlinePassed));
        release.SetResult();
        await thrown.Task.Soon();
    }

    private static Composition<int, int> Blocking(TaskCompletionSource entered, ManualResetEventSlim release, bool inMerge)
    {
        return inMerge ? Compose.Lambda((int x) => x).Merge(Block) : Compose.Lambda((Func<int, int>)Block);

        int Block(int x)
        {
            entered.TrySetResult();
            return release.Wait(TimeSpan.FromSeconds(30)) ? x : -1;
        }
    }

    private Task<TestNode> NodeAsync() =>
        TestNode.StartAsync(Steps.AddTo, services: services => services.AddSingleton<TimeProvider>(_clock));
}
