using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>A form says that it was not processed only when nothing inside it ran.</summary>
public sealed class NotProcessedTests
{
    private static readonly Composition<int, int> s_ok = Steps.Add1;
    private static readonly Composition<int, int> s_busy = Steps.Refuse(StatusCode.Unavailable);
    private static readonly Composition<int, int> s_failed = Steps.Fail(StatusCode.HandlerFailed);

    [TestCaseSource(nameof(Forms))]
    public async Task A_form_was_not_processed_only_when_nothing_inside_it_ran(Composition<int, int> form, bool notProcessed)
    {
        await using var node = await Steps.NodeAsync();
        var failure = (await node.Bus.TryExecuteAsync(form, 1).Soon()).Failure!;
        Assert.That((failure.Status, failure.NotProcessed), Is.EqualTo((StatusCode.Unavailable, notProcessed)));
        Assert.That(failure.IsRetryable, Is.EqualTo(notProcessed));
        Assert.That((await node.Bus.TryExecuteAsync(s_ok | form, 1).Soon()).Failure!.NotProcessed, Is.False, "the step before it ran");
    }

    [Test]
    public async Task A_refusal_behind_a_step_that_ran_counts_as_a_failed_handler()
    {
        await using var node = await Steps.NodeAsync();
        var full = Steps.Refuse(StatusCode.Overloaded);
        var alone = await node.Bus.TryExecuteAsync(Compose.Parallel(full, full), 1).Soon();
        var beside = await node.Bus.TryExecuteAsync(Compose.Parallel(s_ok, full), 1).Soon();
        Assert.That((alone.Failure!.Kind, beside.Failure!.Kind), Is.EqualTo((FailureKind.Rejected, FailureKind.HandlerFailed)));
        Assert.That(beside.Failure.ToException(), Is.TypeOf<HandlerFailedException>());
        var later = await node.Bus.TryExecuteAsync(s_ok | Steps.Unhandled, 1).Soon();
        Assert.That((later.Status, later.Failure!.Kind), Is.EqualTo((StatusCode.NotFound, FailureKind.HandlerFailed)));
    }

    [Test]
    public async Task A_deadline_in_the_first_alternative_is_not_hidden_by_the_second()
    {
        var clock = new FakeTimeProvider();
        await using var node = await TestNode.StartAsync(Steps.AddTo, services: s => s.AddSingleton<TimeProvider>(clock));
        var entered = Failsafe.Signal();
        var hang = Compose.Lambda(async (int x, CancellationToken token) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            return x;
        }, "hang");
        var running = node.Bus.TryExecuteAsync(hang.OrOr(s_ok), 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(1) });
        await entered.Task.Soon();
        clock.Advance(TimeSpan.FromSeconds(1));
        var reply = await running.Soon();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, false)));
    }

    [Test]
    public async Task A_loop_that_resumes_what_is_retryable_does_not_repeat_what_ran()
    {
        await using var node = await Steps.NodeAsync();
        var ran = 0;
        var counted = Compose.Lambda((int x) =>
        {
            ran++;
            return x;
        });
        var reply = await node.Bus.TryExecuteAsync(Compose.Parallel(counted, s_busy), 1).Soon();
        for (var i = 0; i < 3 && reply is { Resumption: { } rest, Failure.IsRetryable: true }; i++)
        {
            reply = await node.Bus.TryResumeAsync(rest).Soon();
        }

        Assert.That(ran, Is.EqualTo(1));
    }

    private static IEnumerable<TestCaseData> Forms()
    {
        yield return Case("busy", s_busy, true);
        yield return Case("busy | ok", s_busy | s_ok, true);
        yield return Case("ok | busy", s_ok | s_busy, false);
        yield return Case("busy && ok", s_busy.AndAnd(s_ok), true);
        yield return Case("ok && busy", s_ok.AndAnd(s_busy), false);
        yield return Case("busy || busy", s_busy.OrOr(s_busy), true);
        yield return Case("failed || busy", s_failed.OrOr(s_busy), false);
        yield return Case("batch(busy; busy)", Compose.Batch(s_busy, s_busy), true);
        yield return Case("batch(ok; busy)", Compose.Batch(s_ok, s_busy), false);
        yield return Case("batch(failed; busy)", Compose.Batch(s_failed, s_busy), false);
        yield return Case("parallel(busy, busy)", First(Compose.Parallel(s_busy, s_busy)), true);
        yield return Case("parallel(ok, busy)", First(Compose.Parallel(s_ok, s_busy)), false);
        yield return Case("parallel(failed, busy)", First(Compose.Parallel(s_failed, s_busy)), false);
        yield return Case("merge(busy)", s_busy.Merge(x => x + 1), true);
        yield return Case("merge(ok && busy)", s_ok.AndAnd(s_busy).Merge(x => x + 1), false);
        yield return Case("parallel(busy || busy, busy)", First(Compose.Parallel(s_busy.OrOr(s_busy), s_busy)), true);
        yield return Case("parallel(ok | busy, busy)", First(Compose.Parallel(s_ok | s_busy, s_busy)), false);

        static Composition<int, int> First(Composition<int, int[]> form) => form.Pipe(all => all[0]);

        static TestCaseData Case(string name, Composition<int, int> form, bool notProcessed) =>
            new TestCaseData(form, notProcessed).SetArgDisplayNames(name);
    }
}
