using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Options of one step.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class WithTests
{
    private static readonly RequestTopic<int, string> s_headers = new("with.headers");

    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task A_step_that_exceeds_its_own_timeout_is_408_and_the_whole_goes_on()
    {
        await using var node = await NodeAsync();
        var entered = Failsafe.Signal();
        var running = node.Bus.TryExecuteAsync(
            Hang(entered).Within(TimeSpan.FromSeconds(1)).OrOr(Steps.Add1), 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(5) });
        await entered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That((await running.Soon()).Value, Is.EqualTo(2));
    }

    [Test]
    public async Task The_timeout_of_a_step_is_named_in_its_failure()
    {
        await using var node = await NodeAsync();
        var entered = Failsafe.Signal();
        var running = node.Bus.TryExecuteAsync(Hang(entered).Within(TimeSpan.FromSeconds(1)), 1);
        await entered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(1));
        var failure = (await running.Soon()).Failure!;
        Assert.That((failure.Status, failure.Kind, failure.Step), Is.EqualTo((StatusCode.DeadlinePassed, FailureKind.TimedOut, "hang")));
        Assert.That(failure.Message, Does.Contain("00:00:01"));
    }

    [Test]
    public async Task The_deadline_of_the_whole_ends_a_step_with_a_longer_timeout()
    {
        await using var node = await NodeAsync();
        var entered = Failsafe.Signal();
        var running = node.Bus.TryExecuteAsync(
            Hang(entered).Within(TimeSpan.FromMinutes(1)).OrOr(Steps.Add1), 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(2) });
        await entered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(2));
        var failure = (await running.Soon()).Failure!;
        Assert.That((failure.Status, failure.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, false)));
        Assert.That(failure.Message, Does.Contain("00:00:02"), "that of the whole");
    }

    [Test]
    public async Task The_callers_cancellation_in_a_step_with_a_timeout_is_thrown()
    {
        await using var node = await NodeAsync();
        using var caller = new CancellationTokenSource();
        var entered = Failsafe.Signal();
        var running = node.Bus.ExecuteAsync(Hang(entered).Within(TimeSpan.FromSeconds(1)), 1, caller.Token);
        await entered.Task.Soon();
        await caller.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => running.Soon());
    }

    [Test]
    public async Task Headers_of_a_step_come_beside_those_of_the_whole_and_only_there()
    {
        await using var node = await NodeAsync();
        var own = new RequestOptions { Headers = Headers.Of(("b", "own"), ("c", "own")) };
        var form = Compose.Parallel(s_headers, s_headers.With(own), s_headers);
        var all = await node.Bus.ExecuteAsync(form, 1, new RequestOptions { Headers = Headers.Of(("a", "1"), ("b", "1")) }).Soon();
        Assert.That(all, Is.EqualTo(new[] { "a=1 b=1", "a=1 b=own c=own", "a=1 b=1" }));
    }

    [Test]
    public async Task Headers_beyond_the_limit_are_a_failure_of_the_step()
    {
        await using var node = await NodeAsync();
        var (many, more) = (new string('x', 5000), new string('y', 5000));
        var form = s_headers.With(new() { Headers = Headers.Of(("many", many)) });
        var reply = await node.Bus.TryExecuteAsync(form, 1, new RequestOptions { Headers = Headers.Of(("more", more)) }).Soon();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.BadRequest, true)));
    }

    [Test]
    public void A_timeout_outside_its_range_is_refused()
    {
        Assert.That(() => Steps.Add1.Within(TimeSpan.Zero), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Steps.Add1.With(new() { Timeout = TimeSpan.FromDays(2) }), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => Steps.Add1.With(null!), Throws.ArgumentNullException);
    }

    private static Composition<int, int> Hang(TaskCompletionSource entered) => Compose.Lambda(async (int x, CancellationToken token) =>
    {
        entered.SetResult();
        await Task.Delay(Timeout.Infinite, token);
        return x;
    }, "hang");

    private Task<TestNode> NodeAsync() => TestNode.StartAsync(
        mesh =>
        {
            Steps.AddTo(mesh);
            mesh.AddHandler(
                s_headers,
                (_, context) => string.Join(' ', context.Headers.Where(h => h.Key.Length == 1).Select(h => $"{h.Key}={h.Value}")));
        },
        services: services => services.AddSingleton<TimeProvider>(_clock));
}
