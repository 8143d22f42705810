using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Functions that execute and signal within the execution that they are a step of.</summary>
public sealed class StepTests
{
    private static readonly SignalTopic<int> s_noted = new("steps.noted");
    private static readonly RequestTopic<int, string?> s_tenant = new("steps.tenant");

    [Test]
    public async Task A_step_executes_and_signals_under_the_headers_and_the_deadline_of_the_whole()
    {
        var clock = new FakeTimeProvider();
        var noted = new TaskCompletionSource<(int, string?)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var node = await TestNode.StartAsync(
            mesh =>
            {
                Steps.AddTo(mesh);
                mesh.AddHandler(s_tenant, (_, context) => context.Headers["tenant"])
                    .AddHandler(s_noted, (x, context) => noted.SetResult((x, context.Headers["tenant"])));
            },
            services: s => s.AddSingleton<TimeProvider>(clock));
        var remaining = TimeSpan.Zero;
        var form = Steps.Add1 | Compose.Step(async (int x, StepContext step) =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            remaining = step.Remaining;
            await step.SignalAsync(s_noted, x);
            var tenant = await step.ExecuteAsync(s_tenant, x);
            return $"{step.Headers["tenant"]} {tenant} {await step.ExecuteAsync(Steps.Add1 | Steps.Double, x)}";
        });
        var options = new RequestOptions { Headers = Headers.Of(("tenant", "t")), Timeout = TimeSpan.FromSeconds(4) };
        Assert.That(await node.Bus.ExecuteAsync(form, 1, options).Soon(), Is.EqualTo("t t 6"));
        Assert.That(await noted.Task.Soon(), Is.EqualTo((2, "t")));
        Assert.That(remaining, Is.EqualTo(TimeSpan.FromSeconds(3)));
    }

    [Test]
    public async Task A_step_fails_as_what_it_executed_failed()
    {
        await using var node = await Steps.NodeAsync();
        var form = Compose.Step(
            async (int x, StepContext step) => await step.ExecuteAsync(Steps.Refuse(StatusCode.Unavailable, TimeSpan.FromSeconds(2)), x),
            "outer");
        var failure = (await node.Bus.TryExecuteAsync(form, 1).Soon()).Failure!;
        Assert.That((failure.Status, failure.Step), Is.EqualTo((StatusCode.Unavailable, "busy")));
        Assert.That(failure.RetryAfter, Is.EqualTo(TimeSpan.FromSeconds(2)));
        Assert.That(failure.NotProcessed, Is.False, "the function ran");
    }

    [Test]
    public async Task What_a_step_throws_is_500_with_the_exception()
    {
        await using var node = await Steps.NodeAsync();
        var form = Compose.Step((int x, StepContext _) => x > 0 ? throw new InvalidTimeZoneException() : Task.FromResult(x), "outer");
        var failure = (await node.Bus.TryExecuteAsync(form, 1).Soon()).Failure!;
        Assert.That((failure.Status, failure.Step), Is.EqualTo((StatusCode.HandlerFailed, "outer")));
        Assert.That(failure.Exception, Is.TypeOf<InvalidTimeZoneException>());
    }

    [Test]
    public async Task A_step_may_resume_what_failed_in_it()
    {
        await using var node = await Steps.NodeAsync();
        var broken = true;
        var flaky = Compose.Lambda((int x) => broken ? throw new InvalidTimeZoneException() : x);
        var form = Compose.Step(async (int x, StepContext step) =>
        {
            var reply = await step.TryExecuteAsync(Steps.Add1 | flaky | Steps.Double, x);
            broken = false;
            return (await step.TryResumeAsync(reply.Resumption!)).GetValueOrThrow();
        });
        Assert.That(await node.Bus.ExecuteAsync(form, 1).Soon(), Is.EqualTo(4));
    }

    [Test]
    public async Task The_context_ends_with_its_step()
    {
        await using var node = await Steps.NodeAsync();
        StepContext? kept = null;
        await node.Bus.ExecuteAsync(
            Compose.Step((int x, StepContext step) =>
            {
                kept = step;
                return Task.FromResult(x);
            }, "outer"), 1).Soon();
        var thrown = await Assert.ThrowsAsync<InvalidOperationException>(() => kept!.ExecuteAsync(Steps.Add1, 1));
        Assert.That(thrown!.Message, Does.Contain("'outer' has ended"));
    }

    [Test]
    public async Task The_callers_cancellation_ends_what_a_step_executes()
    {
        await using var node = await Steps.NodeAsync();
        using var caller = new CancellationTokenSource();
        var entered = Failsafe.Signal();
        var hang = Compose.Lambda(async (int x, CancellationToken token) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            return x;
        });
        var running = node.Bus.ExecuteAsync(
            Compose.Step((int x, StepContext step) => step.ExecuteAsync(Steps.Add1 | hang, x)), 1, caller.Token);
        await entered.Task.Soon();
        await caller.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => running.Soon());
    }
}
