using NUnit.Framework;

namespace ServiceMesh.Core.Tests;

/// <summary>The forms that run one step after the other: the input of each step, where the form stops, and its reply.</summary>
public sealed class SequenceFormsTests
{
    private const StatusCode Teapot = (StatusCode)418;

    [Test]
    public async Task A_pipe_passes_the_output_of_each_step_to_the_next()
    {
        await using var node = await Steps.NodeAsync();
        Assert.That(await node.Bus.ExecuteAsync(Steps.Add1 | Steps.Double | Steps.Text | Steps.Length, 4).Soon(), Is.EqualTo(10));
    }

    [Test]
    public async Task A_pipe_stops_at_the_first_failure_and_returns_it()
    {
        await using var node = await Steps.NodeAsync();
        var after = new List<int>();
        var reply = await node.Bus.TryExecuteAsync(Steps.Add1 | Steps.Fail(Teapot) | Steps.Note(after, 1), 4).Soon();
        Assert.That(reply.Status, Is.EqualTo(Teapot));
        Assert.That(reply.Failure!.Step, Is.EqualTo("fail"));
        Assert.That(reply.Failure.Message, Is.EqualTo("Told to fail with 5."));
        Assert.That(reply.Headers["from"], Is.EqualTo("fail"));
        Assert.That(after, Is.Empty);
    }

    [Test]
    public async Task AndAnd_gives_each_step_the_same_input_and_returns_the_last_reply()
    {
        await using var node = await Steps.NodeAsync();
        var inputs = new List<int>();
        var form = Steps.Note(inputs, 1).AndAnd(Steps.Note(inputs, 2)).AndAnd(Steps.Note(inputs, 3));
        Assert.That(await node.Bus.ExecuteAsync(form, 7).Soon(), Is.EqualTo(3));
        Assert.That(inputs, Is.EqualTo(new[] { 7, 7, 7 }));
    }

    [Test]
    public async Task AndAnd_stops_at_the_first_failure()
    {
        await using var node = await Steps.NodeAsync();
        var inputs = new List<int>();
        var reply = await node.Bus.TryExecuteAsync(
            Steps.Note(inputs, 1).AndAnd(Steps.Fail(Teapot)).AndAnd(Steps.Note(inputs, 3)), 7).Soon();
        Assert.That((reply.Status, reply.Headers["from"]), Is.EqualTo((Teapot, "fail")));
        Assert.That(inputs, Is.EqualTo(new[] { 7 }));
    }

    [Test]
    public async Task The_steps_of_AndAnd_may_have_different_output_types()
    {
        await using var node = await Steps.NodeAsync();
        Assert.That(await node.Bus.ExecuteAsync(Steps.Add1.AndAnd(Steps.Text), 3).Soon(), Is.EqualTo("xxx"));
    }

    [Test]
    public async Task OrOr_stops_at_the_first_success()
    {
        await using var node = await Steps.NodeAsync();
        var inputs = new List<int>();
        var form = Steps.Fail(Teapot).OrOr(Steps.Note(inputs, 2)).OrOr(Steps.Note(inputs, 3));
        Assert.That(await node.Bus.ExecuteAsync(form, 7).Soon(), Is.EqualTo(2));
        Assert.That(inputs, Is.EqualTo(new[] { 7 }));
    }

    [Test]
    public async Task OrOr_without_a_success_returns_the_last_failure()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Steps.Fail(StatusCode.HandlerFailed).OrOr(Steps.Fail(Teapot, "last")), 7).Soon();
        Assert.That((reply.Status, reply.Failure!.Step), Is.EqualTo((Teapot, "last")));
    }

    [Test]
    public async Task A_batch_continues_after_a_failure_and_returns_the_last_reply()
    {
        await using var node = await Steps.NodeAsync();
        var inputs = new List<int>();
        var form = Compose.Batch(Steps.Note(inputs, 1), Steps.Fail(Teapot), Steps.Note(inputs, 3));
        Assert.That(await node.Bus.ExecuteAsync(form, 7).Soon(), Is.EqualTo(3));
        Assert.That(inputs, Is.EqualTo(new[] { 7, 7 }));
    }

    [Test]
    public async Task A_batch_whose_last_step_fails_has_failed()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Compose.Batch(Steps.Add1, Steps.Fail(Teapot)), 7).Soon();
        Assert.That(reply.Status, Is.EqualTo(Teapot));
    }

    [Test]
    public async Task A_recorded_batch_succeeds_with_all_replies_in_the_order_of_its_steps()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Compose.Record(Steps.Add1, Steps.Fail(Teapot), Steps.Double), 7).Soon();
        Assert.That(reply.IsSuccess, Is.True);
        Assert.That(reply.Value!.Select(r => r.Status), Is.EqualTo(new[] { StatusCode.Ok, Teapot, StatusCode.Ok }));
        Assert.That(reply.Value![0].Value, Is.EqualTo(8));
        Assert.That(reply.Value![1].Failure!.Step, Is.EqualTo("fail"));
        Assert.That(reply.Value![2].Value, Is.EqualTo(14));
    }

    [Test]
    public async Task A_step_without_a_handler_is_404()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Steps.Unhandled | Steps.Add1, 7).Soon();
        Assert.That(
            (reply.Status, reply.Failure!.Kind, reply.Failure.Step),
            Is.EqualTo((StatusCode.NotFound, FailureKind.NoHandler, "steps.unhandled")));
        Assert.That(async () => await node.Bus.ExecuteAsync(Steps.Unhandled | Steps.Add1, 7).Soon(), Throws.TypeOf<NoHandlerException>());
    }

    [Test]
    public void A_form_needs_at_least_one_step_and_no_step_may_be_null()
    {
        Composition<int, int>[] none = [];
        Assert.That(() => Compose.Batch(none), Throws.ArgumentException.With.Message.Contains("at least one step"));
        Assert.That(() => Compose.Record(none), Throws.ArgumentException);
        Assert.That(() => Compose.Parallel(none), Throws.ArgumentException);
        Assert.That(() => Compose.Batch(Steps.Add1, null!), Throws.ArgumentException.With.Message.Contains("none may be null"));
        Assert.That(() => Compose.Parallel(0, Steps.Add1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Steps.Add1.OrOr(null!), Throws.ArgumentNullException);
        Assert.That(() => Steps.Add1.AndAnd<int, int, int>(null!), Throws.ArgumentNullException);
        Assert.That(() => Compose.Lambda((Func<int, int>)null!), Throws.ArgumentNullException);
    }

    [Test]
    public void A_form_keeps_its_steps_when_the_list_that_it_was_made_from_changes()
    {
        var steps = new List<Composition<int, int>> { Steps.Add1, Steps.Double };
        var (batch, parallel) = (Compose.Batch(steps), Compose.Parallel(steps));
        steps.Clear();
        Assert.That(batch.ToString(), Is.EqualTo("batch(steps.add1; steps.double)"));
        Assert.That(parallel.ToString(), Is.EqualTo("parallel(steps.add1, steps.double)"));
    }

    [Test]
    public void A_composition_prints_itself_as_it_was_written()
    {
        var form = (Steps.Add1 | Steps.Double)
            .AndAnd(Steps.Unhandled.OrOr(Compose.Record(Steps.Add1, Steps.Unhandled).Pipe(r => r.Length))) | Steps.Text;
        Assert.That(
            form.ToString(),
            Is.EqualTo("(steps.add1 | steps.double && (steps.unhandled || record(steps.add1; steps.unhandled) | lambda)) | steps.text"));
    }
}
