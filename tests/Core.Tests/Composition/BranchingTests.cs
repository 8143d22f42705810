using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Steps that are chosen by an input or by a failure, and values and signals that go beside.</summary>
public sealed class BranchingTests
{
    [Test]
    public async Task A_selector_chooses_the_step()
    {
        await using var node = await Steps.NodeAsync();
        var form = Compose.Choose((int x) => x % 2 == 0 ? Steps.Add1 : Steps.Double);
        Assert.That(await node.Bus.ExecuteAsync(form.Each(1), [2, 3]).Soon(), Is.EqualTo(new[] { 3, 6 }));
    }

    [Test]
    public async Task A_selector_that_throws_or_returns_null_is_a_failure_of_the_choice()
    {
        await using var node = await Steps.NodeAsync();
        var throws = Compose.Choose((int x) => x > 0 ? throw new InvalidTimeZoneException() : Steps.Add1, "by size");
        var nothing = Compose.Choose<int, int>(_ => null!, "by size");
        foreach (var form in new[] { throws, nothing })
        {
            var reply = await node.Bus.TryExecuteAsync(form, 1).Soon();
            Assert.That((reply.Status, reply.Failure!.Step), Is.EqualTo((StatusCode.HandlerFailed, "by size")));
        }
    }

    [Test]
    public async Task A_choice_that_chooses_itself_again_runs_until_it_ends()
    {
        await using var node = await Steps.NodeAsync();
        Composition<int, int> countdown = null!;
        countdown = Compose.Choose((int x) => x >= 3000 ? Compose.Lambda((int y) => y) : Compose.Lambda((int y) => y + 1) | countdown);
        Assert.That(await node.Bus.ExecuteAsync(countdown, 0, new RequestOptions { Timeout = TimeSpan.FromMinutes(2) }), Is.EqualTo(3000));
    }

    [Test]
    public async Task A_failure_is_recovered_by_an_alternative_with_the_same_input()
    {
        await using var node = await Steps.NodeAsync();
        var form = (Steps.Add1 | Steps.Unhandled).Recover(failure => (int)failure.Status == 404 ? Steps.Double : null);
        Assert.That(await node.Bus.ExecuteAsync(form, 5).Soon(), Is.EqualTo(10));
        var other = Steps.Fail((StatusCode)418).Recover(failure => (int)failure.Status == 404 ? Steps.Double : null);
        Assert.That((int)(await node.Bus.TryExecuteAsync(other, 5).Soon()).Status, Is.EqualTo(418));
    }

    [Test]
    public async Task A_compensation_runs_and_the_first_failure_stands()
    {
        await using var node = await Steps.NodeAsync();
        var undone = new List<int>();
        var form = Steps.Fail((StatusCode)418, "charge")
            .Recover(failure => Steps.Note(undone, 0).AndAnd(Compose.Fail(failure)));
        var reply = await node.Bus.TryExecuteAsync(form, 5).Soon();
        Assert.That(((int)reply.Status, reply.Failure!.Step, reply.Failure.NotProcessed), Is.EqualTo((418, "charge", false)));
        Assert.That(undone, Is.EqualTo(new[] { 5 }));
    }

    [Test]
    public async Task Fail_fails_with_its_status_and_is_reported_once()
    {
        var file = TempFile.Path();
        await using (var node = await Steps.NodeAsync(("ErrorPolicy", "Queue"), ("Errors:QueueFile", file)))
        {
            Composition<int, int> fail = Compose.Fail((StatusCode)402, "No quota is left.", "quota");
            var reply = await node.Bus.TryExecuteAsync(fail.Recover(failure => Compose.Fail(failure)), 5).Soon();
            Assert.That(((int)reply.Status, reply.Failure!.Step, reply.Failure.Message), Is.EqualTo((402, "quota", "No quota is left.")));
            Assert.That(() => Compose.Fail(StatusCode.Ok, "x"), Throws.TypeOf<ArgumentOutOfRangeException>());
        }

        Assert.That(await File.ReadAllLinesAsync(file), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Both_ends_with_two_values_of_different_types()
    {
        await using var node = await Steps.NodeAsync();
        var form = Compose.Both(Steps.Add1, Steps.Text).Pipe(both => $"{both.First} {both.Second}");
        Assert.That(await node.Bus.ExecuteAsync(form, 3).Soon(), Is.EqualTo("4 xxx"));
        var reply = await node.Bus.TryExecuteAsync(Compose.Both(Steps.Text, Steps.Unhandled), 3).Soon();
        Assert.That((int)reply.Status, Is.EqualTo(404));
        Assert.That(reply.Failure!.Parts.Select(part => (int)part.Status), Is.EqualTo(new[] { 200, 404 }));
        Assert.That(reply.Failure.NotProcessed, Is.False);
    }

    [Test]
    public async Task Keep_ends_with_the_input_beside_the_output()
    {
        await using var node = await Steps.NodeAsync();
        Assert.That(await node.Bus.ExecuteAsync(Steps.Text.Keep(), 3).Soon(), Is.EqualTo((3, "xxx")));
        Assert.That((await node.Bus.TryExecuteAsync(Steps.Unhandled.Keep(), 3).Soon()).Failure!.Kind, Is.EqualTo(FailureKind.NoHandler));
    }

    [Test]
    public async Task Settle_ends_with_all_replies_and_runs_all_at_once()
    {
        await using var node = await Steps.NodeAsync();
        var (one, two) = (Failsafe.Signal(), Failsafe.Signal());
        var replies = await node.Bus.ExecuteAsync(
            Compose.Settle(
                Meet(one, two),
                Meet(two, one),
                Steps.Unhandled),
            1).Soon();
        Assert.That(replies.Select(r => (int)r.Status), Is.EqualTo(new[] { 200, 200, 404 }));

        static Composition<int, int> Meet(TaskCompletionSource mine, TaskCompletionSource other) =>
            Compose.Lambda(async (int x, CancellationToken _) =>
            {
                mine.SetResult();
                await other.Task;
                return x;
            });
    }

    [Test]
    public async Task Tee_gives_the_output_to_a_side_and_keeps_the_reply()
    {
        var headers = new RequestTopic<int, int>("tee.headers");
        var signal = new SignalTopic<string>("tee.signal");
        var told = new TaskCompletionSource<(string, string?)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var node = await TestNode.StartAsync(mesh =>
        {
            Steps.AddTo(mesh);
            mesh.AddHandler(headers, (x, context) =>
            {
                context.ReplyHeaders = Headers.Of(("from", "main"));
                return x + 1;
            });
            mesh.AddHandler(signal, (text, context) => told.SetResult((text, context.Headers["tenant"])));
        });
        var side = new List<int>();
        var form = headers.Tee(Steps.Note(side, 0)).Tee(Steps.Unhandled).Tee(signal, x => $"got {x}");
        var reply = await node.Bus.TryExecuteAsync(form, 4, new RequestOptions { Headers = Headers.Of(("tenant", "t")) }).Soon();
        Assert.That((reply.Value, reply.Headers["from"]), Is.EqualTo((5, "main")), "a failed side changes nothing");
        Assert.That(side, Is.EqualTo(new[] { 5 }));
        Assert.That(await told.Task.Soon(), Is.EqualTo(("got 5", "t")));
    }

    [Test]
    public async Task A_failed_step_has_no_side()
    {
        await using var node = await Steps.NodeAsync();
        var side = new List<int>();
        var reply = await node.Bus.TryExecuteAsync(Steps.Fail((StatusCode)418).Tee(Steps.Note(side, 0)), 4).Soon();
        Assert.That(((int)reply.Status, side.Count), Is.EqualTo((418, 0)));
    }

    [Test]
    public async Task A_named_lambda_in_a_pipe_is_named_in_its_failure()
    {
        await using var node = await Steps.NodeAsync();
        Composition<int, int>[] forms =
        [
            Steps.Add1.Pipe(x => x > 0 ? throw new InvalidTimeZoneException() : x, "mine"),
            Steps.Add1.Pipe(async x =>
            {
                await Task.Yield();
                return x > 0 ? throw new InvalidTimeZoneException() : x;
            }, "mine"),
            Steps.Add1.Pipe(async (x, token) =>
            {
                await Task.Delay(0, token);
                return x > 0 ? throw new InvalidTimeZoneException() : x;
            }, "mine"),
        ];
        foreach (var form in forms)
        {
            Assert.That((await node.Bus.TryExecuteAsync(form, 1).Soon()).Failure!.Step, Is.EqualTo("mine"));
        }
    }
}
