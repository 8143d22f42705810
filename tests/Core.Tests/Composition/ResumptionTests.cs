using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class ResumptionTests
{
    [Test]
    public async Task A_failed_pipe_names_the_failed_step_its_input_and_the_remaining_steps()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Steps.Add1 | Steps.Double | Steps.Unhandled | Steps.Text, 3).Soon();
        var left = reply.Resumption!;
        Assert.That(left.StepIndex, Is.EqualTo(2));
        Assert.That(left.Step, Is.EqualTo("steps.unhandled"));
        Assert.That(left.Input, Is.EqualTo(8));
        Assert.That(left.Remaining, Is.EqualTo("steps.unhandled | steps.text"));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public async Task The_index_of_a_step_counts_in_the_whole_pipe_however_pipes_are_nested(int failing)
    {
        await using var node = await Steps.NodeAsync();
        var ran = new List<int>();
        var broken = true;
        var s = Enumerable.Range(0, 4).Select(i => Compose.Lambda((int x) =>
        {
            ran.Add(i);
            return i == failing && broken ? throw new InvalidTimeZoneException() : x * 10 + i;
        }, $"s{i}")).ToArray();
        Composition<int, int>[] nestings =
        [
            ((s[0] | s[1]) | s[2]) | s[3],
            s[0] | (s[1] | (s[2] | s[3])),
            (s[0] | s[1]) | (s[2] | s[3]),
            s[0] | (s[1] | s[2]) | s[3],
        ];
        foreach (var form in nestings)
        {
            broken = true;
            var left = (await node.Bus.TryExecuteAsync(form, 9).Soon()).Resumption!;
            Assert.That((left.StepIndex, left.Step), Is.EqualTo((failing, $"s{failing}")), form.ToString());
            Assert.That(left.Remaining, Is.EqualTo(string.Join(" | ", s.Skip(failing))));

            // It fails again at the same step, whose index still counts from the beginning of the whole pipe.
            var again = (await node.Bus.TryResumeAsync(left).Soon()).Resumption!;
            Assert.That((again.StepIndex, again.Step, again.Input), Is.EqualTo((failing, $"s{failing}", left.Input)));

            broken = false;
            ran.Clear();
            Assert.That(await ValueAsync(node, again), Is.EqualTo(90123));
            Assert.That(ran, Is.EqualTo(Enumerable.Range(failing, 4 - failing)), "only the remaining steps");
        }
    }

    [Test]
    public async Task A_resumed_pipe_that_fails_at_a_later_step_is_resumed_from_there()
    {
        await using var node = await Steps.NodeAsync();
        var broken = new HashSet<int> { 1, 3 };
        var s = Enumerable.Range(0, 4)
            .Select(i => Compose.Lambda((int x) => broken.Contains(i) ? throw new InvalidTimeZoneException() : x + 1, $"s{i}")).ToArray();
        var first = (await node.Bus.TryExecuteAsync(s[0] | s[1] | s[2] | s[3], 0).Soon()).Resumption!;
        broken.Remove(1);
        var second = (await node.Bus.TryResumeAsync(first).Soon()).Resumption!;
        Assert.That((second.StepIndex, second.Step, second.Input, second.Remaining), Is.EqualTo((3, "s3", (object)3, "s3")));
        broken.Clear();
        Assert.That(await ValueAsync(node, second), Is.EqualTo(4));
        Assert.That(await ValueAsync(node, first), Is.EqualTo(4), "a remainder may be resumed more than once");
    }

    [Test]
    public async Task Another_input_may_be_given_to_the_failed_step()
    {
        await using var node = await Steps.NodeAsync();
        var positive = Compose.Lambda((int x) => x > 0 ? x : throw new ArgumentException("not positive"), "positive");
        var left = (await node.Bus.TryExecuteAsync(Steps.Double | positive | Steps.Text, -2).Soon()).Resumption!;
        var changed = left.WithInput(2);
        Assert.That(await ValueAsync(node, changed), Is.EqualTo("xx"));
        Assert.That((changed.StepIndex, changed.Input, left.Input), Is.EqualTo((1, (object)2, (object)-4)));
        Assert.That(
            () => left.WithInput("text"),
            Throws.ArgumentException.With.Message.Contains("'positive' takes a Int32").And.Message.Contains("String"));
        Assert.That(() => left.WithInput(null), Throws.ArgumentException.With.Message.Contains("null"));
    }

    [Test]
    public async Task Null_may_be_the_input_of_a_step_that_takes_null()
    {
        await using var node = await Steps.NodeAsync();
        var takesNull = Compose.Lambda((string? x) => x is null ? 0 : throw new InvalidTimeZoneException());
        var left = (await node.Bus.TryExecuteAsync(takesNull, "x").Soon()).Resumption!;
        Assert.That(await ValueAsync(node, left.WithInput(null)), Is.Zero);
    }

    [Test]
    public async Task A_form_other_than_a_pipe_is_one_step_and_is_resumed_as_a_whole()
    {
        await using var node = await Steps.NodeAsync();
        var broken = true;
        var (ran, flaky) = (0, Compose.Lambda((int x) => broken ? throw new InvalidTimeZoneException() : x, "flaky"));
        var counted = Compose.Lambda((int x) =>
        {
            Interlocked.Increment(ref ran);
            return x;
        }, "counted");
        Composition<int, int>[] forms =
        [
            counted.AndAnd(counted | flaky),
            Steps.Unhandled.OrOr(counted | flaky),
            Compose.Batch(counted, counted | flaky),
            Compose.Parallel(counted, counted | flaky).Pipe(all => all[1]),
            (counted | flaky).Merge(x => x),
        ];
        foreach (var form in forms)
        {
            (broken, ran) = (true, 0);
            var left = (await node.Bus.TryExecuteAsync(Steps.Add1 | form | Steps.Double, 4).Soon()).Resumption!;
            Assert.That((left.StepIndex, left.Input), Is.EqualTo((1, (object)5)), form.ToString());
            (broken, var before) = (false, ran);
            Assert.That(await ValueAsync(node, left), Is.EqualTo(10));
            Assert.That(ran, Is.EqualTo(before * 2), "the whole form ran again");
        }
    }

    [Test]
    public async Task A_success_has_no_resumption_and_a_failed_request_resumes_itself()
    {
        await using var node = await Steps.NodeAsync();
        Assert.That((await node.Bus.TryExecuteAsync(Steps.Add1 | Steps.Double, 1).Soon()).Resumption, Is.Null);
        var left = (await node.Bus.TryExecuteAsync(Steps.Unhandled, 1).Soon()).Resumption!;
        Assert.That((left.StepIndex, left.Step, left.Input), Is.EqualTo((0, "steps.unhandled", (object)1)));
    }

    [Test]
    public async Task A_failed_step_of_a_recorded_batch_can_be_resumed_too()
    {
        await using var node = await Steps.NodeAsync();
        var replies = await node.Bus.ExecuteAsync(Compose.Record(Steps.Add1, Steps.Double | Steps.Unhandled), 4).Soon();
        Assert.That(replies[1].Resumption!.Input, Is.EqualTo(8));
    }

    private static async Task<T> ValueAsync<T>(TestNode node, Resumption<T> left) =>
        (await node.Bus.TryResumeAsync(left).Soon()).GetValueOrThrow();
}
