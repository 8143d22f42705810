using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>What a failing step says arrives at the caller, whatever forms are around it.</summary>
public sealed class FailureDetailTests
{
    private static readonly RequestTopic<int, string> s_partly = new("details.partly");
    private static readonly RequestTopic<int, int> s_chosen = new("details.chosen");
    private static readonly RequestTopic<int, int> s_headers = new("details.headers");

    [Test]
    public async Task The_longest_retry_after_and_the_headers_of_the_worst_step_pass_a_parallel()
    {
        await using var node = await NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(
            Compose.Parallel(
                Steps.Refuse(StatusCode.Overloaded, TimeSpan.FromSeconds(9)),
                Steps.Add1,
                Steps.Refuse(StatusCode.Unavailable, TimeSpan.FromSeconds(5))),
            1).Soon();
        Assert.That((reply.Status, reply.Failure!.RetryAfter), Is.EqualTo((StatusCode.Unavailable, (TimeSpan?)TimeSpan.FromSeconds(9))));
        Assert.That(reply.Headers["from"], Is.EqualTo("busy"));
    }

    [Test]
    public async Task A_parallel_that_succeeds_has_the_headers_of_all_its_steps()
    {
        await using var node = await NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Compose.Parallel(s_headers.Merge(_ => 1), s_headers.Merge(_ => 2)), 0).Soon();
        Assert.That((reply.Headers["from1"], reply.Headers["from2"], reply.Headers["last"]), Is.EqualTo(("1", "2", "2")));
    }

    [Test]
    public async Task The_value_beside_a_failing_status_is_told_whatever_follows_the_step()
    {
        await using var node = await NodeAsync();
        Composition<int, int>[] forms =
        [
            s_partly | Steps.Length,
            s_partly.AndAnd(Steps.Add1),
            Compose.Parallel(s_partly, s_partly).Pipe(all => all.Length),
            Steps.Refuse().OrOr(s_partly | Steps.Length),
        ];
        foreach (var form in forms)
        {
            var reply = await node.Bus.TryExecuteAsync(form, 7).Soon();
            Assert.That(((int)reply.Status, reply.Failure!.Value), Is.EqualTo((409, (object)"only 7")), form.ToString());
        }

        var alone = await node.Bus.TryRequestAsync(s_partly, 7).Soon();
        Assert.That((alone.Value, alone.Failure!.Value), Is.EqualTo(("only 7", (object)"only 7")));
    }

    [TestCase(408)]
    [TestCase(503)]
    public async Task A_status_that_a_handler_or_a_lambda_chose_counts_as_a_failed_handler(int status)
    {
        await using var node = await NodeAsync();
        var lambda = Compose.Lambda((int x) => x > 0 ? throw new ReplyException((StatusCode)status, "My own.") : x, "mine");
        Composition<int, int>[] forms =
        [
            s_chosen, lambda, Steps.Add1.Merge(_ => status) | s_chosen.Merge(_ => status), Compose.Parallel(lambda, lambda).Pipe(x => x[0]),
            Compose.Fail((StatusCode)status, "Mine."),
        ];
        foreach (var form in forms)
        {
            var failure = (await node.Bus.TryExecuteAsync(form, status).Soon()).Failure!;
            Assert.That(((int)failure.Status, failure.Kind), Is.EqualTo((status, FailureKind.HandlerFailed)), form.ToString());
            Assert.That(failure.ToException(), Is.TypeOf<HandlerFailedException>());
        }
    }

    [Test]
    public async Task A_ReplyException_in_a_lambda_keeps_its_status_and_sentence()
    {
        await using var node = await NodeAsync();
        var refusal = new ReplyException((StatusCode)418, "Only coffee.");
        var failure = (await node.Bus.TryExecuteAsync(Compose.Lambda((int x) => x > 0 ? throw refusal : x, "pot"), 1).Soon()).Failure!;
        Assert.That(((int)failure.Status, failure.Step, failure.Message), Is.EqualTo((418, "pot", "Only coffee.")));
        Assert.That(failure.Exception, Is.SameAs(refusal));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_record_or_settle_whose_deadline_passed_is_408_with_all_its_replies(bool settle)
    {
        var clock = new FakeTimeProvider();
        await using var node = await TestNode.StartAsync(Steps.AddTo, services: s => s.AddSingleton<TimeProvider>(clock));
        var late = Compose.Lambda((int x) =>
        {
            clock.Advance(TimeSpan.FromSeconds(3));
            return x;
        }, "late");
        var form = settle ? Compose.Settle(maxConcurrency: 1, Steps.Add1, late, Steps.Add1) : Compose.Record(Steps.Add1, late, Steps.Add1);
        var reply = await node.Bus.TryExecuteAsync(form, 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(3) }).Soon();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, false)));
        Assert.That(reply.Failure.Parts.Select(part => (int)part.Status), Is.EqualTo(new[] { 200, 408, 408 }));
        Assert.That(reply.Failure.Parts[2].Failure!.NotProcessed, Is.True);
    }

    [Test]
    public void Names_of_spans_and_steps_are_bounded()
    {
        Composition<int, int> form = Compose.Parallel(Enumerable.Repeat(Steps.Add1, 10_000)).Pipe(all => all[0]);
        Assert.That(form.Name, Has.Length.LessThanOrEqualTo(201));
        Assert.That(new Remainder<int, int>(form, 1).Name, Is.EqualTo(form.Name));
    }

    private static Task<TestNode> NodeAsync() => TestNode.StartAsync(mesh =>
    {
        Steps.AddTo(mesh);
        mesh.AddHandler(s_partly, (x, context) =>
        {
            context.Status = (StatusCode)409;
            return $"only {x}";
        });
        mesh.AddHandler(s_chosen, (x, context) =>
        {
            context.Status = (StatusCode)x;
            return x;
        });
        mesh.AddHandler(s_headers, (x, context) =>
        {
            context.ReplyHeaders = context.ReplyHeaders.With($"from{x}", $"{x}").With("last", $"{x}");
            return x;
        });
    });
}
