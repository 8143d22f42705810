using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Repetition of what is left of a step, and of nothing that may not run twice.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RetryTests
{
    private static readonly RequestTopic<int, int> s_plain = new("retry.step");
    private static readonly RequestTopic<int, int> s_idempotent = new("retry.step") { IsIdempotent = true };

    private readonly FakeTimeProvider _clock = new();
    private int _calls;

    [Test]
    public async Task An_idempotent_step_that_failed_for_a_moment_is_repeated_until_it_succeeds()
    {
        await using var node = await NodeAsync(failures: 2);
        Assert.That(await node.Bus.ExecuteAsync(s_idempotent.Retry(3), 1).Soon(), Is.EqualTo(1));
        Assert.That(_calls, Is.EqualTo(3));
    }

    [Test]
    public async Task The_last_failure_is_the_result_when_the_attempts_are_used()
    {
        await using var node = await NodeAsync(failures: 9);
        var reply = await node.Bus.TryExecuteAsync(s_idempotent.Retry(3), 1).Soon();
        Assert.That((_calls, (int)reply.Status, reply.Failure!.Step), Is.EqualTo((3, 503, "retry.step")));
    }

    [Test]
    public async Task A_step_that_may_not_run_twice_is_not_repeated_whatever_the_rule_says()
    {
        await using var node = await NodeAsync(failures: 9);
        await node.Bus.TryExecuteAsync(s_plain.Retry(3, when: _ => true), 1).Soon();
        Assert.That(_calls, Is.EqualTo(1));
        await node.Bus.TryExecuteAsync(s_plain.With(new() { IsIdempotent = true }).Retry(3), 1).Soon();
        Assert.That(_calls, Is.EqualTo(4), "the options say that it may");
    }

    [Test]
    public async Task A_refused_step_is_repeated_and_the_steps_before_it_are_not()
    {
        await using var node = await NodeAsync();
        var (ran, refusals) = (0, 0);
        var counted = Compose.Lambda((int x) => ++ran);
        var busy = Compose.Choose((int _) => ++refusals < 3 ? Steps.Refuse() : Steps.Add1);
        Assert.That(await node.Bus.ExecuteAsync((counted | busy | Steps.Double).Retry(5), 1).Soon(), Is.EqualTo(4));
        Assert.That((ran, refusals), Is.EqualTo((1, 3)));
    }

    [Test]
    public async Task Only_the_failed_branches_of_a_parallel_are_repeated()
    {
        await using var node = await NodeAsync();
        var (ran, refusals) = (0, 0);
        var counted = Compose.Lambda((int x) => Interlocked.Increment(ref ran));
        var busy = Compose.Choose((int _) => ++refusals < 3 ? Steps.Refuse() : Steps.Add1);
        Assert.That(await node.Bus.ExecuteAsync(Compose.Parallel(counted, busy, counted).Retry(5), 1).Soon(), Has.Length.EqualTo(3));
        Assert.That((ran, refusals), Is.EqualTo((2, 3)));
    }

    [Test]
    public async Task A_parallel_is_not_repeated_when_one_of_its_failed_branches_may_not_run_twice()
    {
        await using var node = await NodeAsync(failures: 9);
        await node.Bus.TryExecuteAsync(Compose.Parallel(s_plain, Steps.Refuse()).Retry(5, when: _ => true), 1).Soon();
        Assert.That(_calls, Is.EqualTo(1));
    }

    [Test]
    public async Task A_failure_that_does_not_pass_is_not_repeated_unless_the_rule_says_so()
    {
        await using var node = await NodeAsync(failures: 9, status: (StatusCode)409);
        await node.Bus.TryExecuteAsync(s_idempotent.Retry(3), 1).Soon();
        Assert.That(_calls, Is.EqualTo(1));
        await node.Bus.TryExecuteAsync(s_idempotent.Retry(3, when: failure => (int)failure.Status == 409), 1).Soon();
        Assert.That(_calls, Is.EqualTo(4));
    }

    [Test]
    public async Task The_pause_doubles_and_a_longer_RetryAfter_counts()
    {
        var rule = new RetryRule(9, TimeSpan.FromSeconds(1), null);
        Assert.That(
            new[] { 1, 2, 3, 60 }.Select(attempt => rule.PauseAfter(attempt, null).TotalSeconds),
            Is.EqualTo(new double[] { 1, 2, 4, 86400 }));
        Assert.That(rule.PauseAfter(1, TimeSpan.FromSeconds(9)).TotalSeconds, Is.EqualTo(9));
        Assert.That(rule.PauseAfter(5, TimeSpan.FromSeconds(9)).TotalSeconds, Is.EqualTo(16));

        await using var node = await NodeAsync(failures: 1);
        var running = node.Bus.ExecuteAsync(s_idempotent.Retry(3, TimeSpan.FromSeconds(1)), 1);
        await Failsafe.Until(() => _calls == 1);

        // The pause begins some time after the first attempt has ended, and no event tells when.
        await Failsafe.Until(() =>
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            return running.IsCompleted;
        });
        Assert.That((await running.Soon(), _calls), Is.EqualTo((1, 2)));
    }

    [Test]
    public async Task A_pause_longer_than_the_deadline_is_not_begun()
    {
        await using var node = await NodeAsync(failures: 9);
        var reply = await node.Bus.TryExecuteAsync(
            s_idempotent.Retry(3, TimeSpan.FromSeconds(3)), 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(3) }).Soon();
        Assert.That((_calls, (int)reply.Status), Is.EqualTo((1, 503)));
    }

    [Test]
    public async Task A_rule_that_throws_is_500_with_the_exception()
    {
        await using var node = await NodeAsync(failures: 9);
        var reply = await node.Bus.TryExecuteAsync(s_idempotent.Retry(3, when: _ => throw new InvalidTimeZoneException()), 1).Soon();
        Assert.That((reply.Status, reply.Failure!.Exception), Is.EqualTo((StatusCode.HandlerFailed, reply.Failure.Exception)));
        Assert.That(reply.Failure.Exception, Is.TypeOf<InvalidTimeZoneException>());
    }

    [Test]
    public void Numbers_outside_their_range_are_refused()
    {
        Assert.That(() => Steps.Add1.Retry(0), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Steps.Add1.Retry(2, TimeSpan.FromSeconds(-1)), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Steps.Add1.Retry(2, TimeSpan.FromDays(2)), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private Task<TestNode> NodeAsync(int failures = 0, StatusCode status = StatusCode.Unavailable) => TestNode.StartAsync(
        mesh =>
        {
            Steps.AddTo(mesh);
            mesh.AddHandler(
                s_plain, (x, _) => Interlocked.Increment(ref _calls) <= failures ? throw new ReplyException(status, "Not yet.") : x);
        },
        services: services => services.AddSingleton<TimeProvider>(_clock));
}
