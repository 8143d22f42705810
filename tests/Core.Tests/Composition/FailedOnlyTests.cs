using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>Resumption without what succeeded inside the failed step.</summary>
public sealed class FailedOnlyTests
{
    [Test]
    public async Task A_failed_parallel_is_resumed_with_its_failed_branches_only()
    {
        await using var node = await Steps.NodeAsync();
        var (ran, broken) = (0, true);
        var counted = Compose.Lambda((int x) => Interlocked.Increment(ref ran) * 0 + x);
        var flaky = Compose.Lambda((int x) => broken ? throw new InvalidTimeZoneException() : x * 10, "flaky");
        var form = Steps.Add1 | Compose.Parallel(counted, counted | flaky, Steps.Double).Pipe(all => string.Join(' ', all));

        var left = (await node.Bus.TryExecuteAsync(form, 1).Soon()).Resumption!;
        var failedOnly = left.FailedOnly;
        Assert.That((failedOnly.StepIndex, failedOnly.Input), Is.EqualTo((1, (object)2)));
        Assert.That(failedOnly.Remaining, Is.EqualTo("parallel(done, flaky, done) | lambda"));
        Assert.That(failedOnly.FailedOnly, Is.SameAs(failedOnly));

        // It fails again, and is resumed again from there.
        var again = (await node.Bus.TryResumeAsync(failedOnly).Soon()).Resumption!;
        Assert.That((again.StepIndex, again.Input, ran), Is.EqualTo((1, (object)2, 2)));
        broken = false;
        Assert.That((await node.Bus.TryResumeAsync(again).Soon()).Value, Is.EqualTo("2 20 4"));
        Assert.That(ran, Is.EqualTo(2), "the branches that succeeded did not run again");
        Assert.That((await node.Bus.TryResumeAsync(left).Soon()).Value, Is.EqualTo("2 20 4"));
        Assert.That(ran, Is.EqualTo(4), "the whole form ran again");
    }

    [Test]
    public async Task Kept_replies_are_of_the_input_that_they_had()
    {
        await using var node = await Steps.NodeAsync();
        var left = (await node.Bus.TryExecuteAsync(Compose.Parallel(Steps.Add1, Steps.Unhandled), 1).Soon()).Resumption!;
        Assert.That(() => left.FailedOnly.WithInput(2), Throws.InvalidOperationException.With.Message.Contains("keeps replies"));
        Assert.That(left.WithInput(2).Input, Is.EqualTo(2));
        var again = (await node.Bus.TryResumeAsync(left.FailedOnly).Soon()).Resumption!;
        Assert.That(() => again.WithInput(2), Throws.InvalidOperationException);
    }

    [TestCaseSource(nameof(Forms))]
    public async Task A_form_keeps_what_succeeded_in_it(
        Func<Composition<int, int>, Composition<int, int>, Composition<int, int>> around, int ranBefore, int ranAfter)
    {
        await using var node = await Steps.NodeAsync();
        var (ran, broken) = (0, true);
        var counted = Compose.Lambda((int x) => Interlocked.Increment(ref ran) * 0 + x, "counted");
        var flaky = Compose.Lambda((int x) => broken ? throw new InvalidTimeZoneException() : x + 1, "flaky");
        var reply = await node.Bus.TryExecuteAsync(around(counted, flaky) | Steps.Double, 4).Soon();
        Assert.That(ran, Is.EqualTo(ranBefore));
        broken = false;
        Assert.That((await node.Bus.TryResumeAsync(reply.Resumption!.FailedOnly).Soon()).Value, Is.EqualTo(10));
        Assert.That(ran, Is.EqualTo(ranAfter));
    }

    [Test]
    public async Task A_resumption_says_whether_it_may_be_repeated()
    {
        await using var node = await Steps.NodeAsync();
        async Task<(bool, bool)> AskAsync(Composition<int, int> form)
        {
            var left = (await node.Bus.TryExecuteAsync(form, 1).Soon()).Resumption!;
            return (left.IsRepeatable, left.FailedOnly.IsRepeatable);
        }

        var failed = Steps.Fail(StatusCode.HandlerFailed);
        Assert.That(await AskAsync(Steps.Refuse()), Is.EqualTo((true, true)));
        Assert.That(await AskAsync(failed), Is.EqualTo((false, false)));
        Assert.That(await AskAsync(Steps.Add1 | Steps.Refuse()), Is.EqualTo((true, true)), "only the refused step is left");
        Assert.That(
            await AskAsync(Compose.Parallel(Steps.Add1, Steps.Refuse()).Pipe(all => all[0])),
            Is.EqualTo((false, true)), "without the success");
        Assert.That(await AskAsync(Compose.Parallel(failed, Steps.Refuse()).Pipe(all => all[0])), Is.EqualTo((false, false)));
    }

    private static IEnumerable<TestCaseData> Forms()
    {
        yield return Case("and-and", (counted, flaky) => counted.AndAnd(counted | flaky), 2, 2);
        yield return Case("and-and, first", (counted, flaky) => (counted | flaky).AndAnd(counted | Compose.Lambda((int x) => x + 1)), 1, 2);
        yield return Case("or-or", (counted, flaky) => (counted | flaky).OrOr(counted | flaky), 2, 2);
        yield return Case("batch", (counted, flaky) => Compose.Batch(counted, counted | flaky), 2, 2);
        yield return Case("parallel", (counted, flaky) => Compose.Parallel(counted, counted | flaky).Pipe(all => all[1]), 2, 2);
        yield return Case("merge", (counted, flaky) => (counted | flaky).Merge(x => x), 1, 1);
        yield return Case("within", (counted, flaky) => (counted | flaky).Within(TimeSpan.FromMinutes(1)), 1, 1);
        yield return Case("retry", (counted, flaky) => (counted | flaky).Retry(2), 1, 1);
        yield return Case("choose", (counted, flaky) => Compose.Choose((int _) => counted | flaky), 1, 1);
        yield return Case("recover", (counted, flaky) => Steps.Unhandled.Recover(_ => counted | flaky), 1, 1);
        yield return Case("recover, null", (counted, flaky) => (counted | flaky).Recover(_ => null), 1, 1);
        yield return Case("race", (counted, flaky) => Compose.Race(counted | flaky, counted | flaky), 2, 2);
        yield return Case("both", (counted, flaky) => Compose.Both(counted, counted | flaky).Pipe(both => both.Second), 2, 2);
        yield return Case("keep", (counted, flaky) => (counted | flaky).Keep().Pipe(kept => kept.Output), 1, 1);
        yield return Case("tee", (counted, flaky) => (counted | flaky).Tee(Steps.Add1), 1, 1);
        yield return Case(
            "each", (counted, flaky) => Compose.Lambda((int x) => new[] { x, x }) | (counted | flaky).Each(2).Pipe(all => all[1]), 2, 2);

        static TestCaseData Case(
            string name, Func<Composition<int, int>, Composition<int, int>, Composition<int, int>> around, int before, int after) =>
            new TestCaseData(around, before, after).SetArgDisplayNames(name);
    }
}
