using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LambdaTests
{
    private readonly FakeTimeProvider _clock = new();

    [TestCase(false)]
    [TestCase(true)]
    public async Task An_exception_of_a_lambda_is_500_with_the_exception_and_one_report(bool asynchronous)
    {
        var file = TempFile.Path();
        var broken = new InvalidTimeZoneException("lost in time");
        var lambda = asynchronous
            ? Compose.Lambda(async (int x, CancellationToken _) =>
            {
                await Task.Yield();
                return x > 0 ? throw broken : x;
            }, "convert")
            : Compose.Lambda((int x) => x > 0 ? throw broken : x, "convert");
        await using (var node = await Steps.NodeAsync(("ErrorPolicy", "Queue"), ("Errors:QueueFile", file)))
        {
            var reply = await node.Bus.TryExecuteAsync(Compose.Parallel(Steps.Add1 | lambda, Steps.Add1), 1).Soon();
            Assert.That((reply.Status, reply.Failure!.Step), Is.EqualTo((StatusCode.HandlerFailed, "convert")));
            Assert.That(reply.Failure.Message, Does.Contain("InvalidTimeZoneException: lost in time"));
            Assert.That(reply.Failure.Exception, Is.SameAs(broken));
            var thrown = (await Assert.ThrowsAsync<HandlerFailedException>(() => node.Bus.ExecuteAsync(lambda, 1).Soon()))!;
            Assert.That(thrown.InnerException, Is.SameAs(broken));
        }

        var lines = await File.ReadAllLinesAsync(file);
        Assert.That(lines, Has.Length.EqualTo(2), "one for each of the two executions");
        Assert.That(lines, Has.All.Contain("\"Topic\":\"convert\"").And.All.Contain("lost in time").And.All.Contain("\"Status\":500"));
    }

    [Test]
    public async Task A_lambda_that_throws_its_own_cancellation_has_failed()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Compose.Lambda((int x) => x > 0 ? throw new OperationCanceledException() : x), 1).Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
    }

    [Test]
    public async Task A_lambda_that_returns_null_instead_of_a_task_fails_like_one_that_throws()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Compose.Lambda((int _, CancellationToken _) => (Task<int>)null!), 1).Soon();
        Assert.That(reply.Status, Is.EqualTo(StatusCode.HandlerFailed));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_lambda_that_runs_beyond_the_deadline_is_408_and_counts_as_processed(bool looksAtItsToken)
    {
        await using var node = await NodeAsync();
        var (entered, release) = (Failsafe.Signal(), Failsafe.Signal());
        var running = node.Bus.TryExecuteAsync(Compose.Lambda(async (int x, CancellationToken token) =>
        {
            entered.SetResult();
            await release.Task.WaitAsync(looksAtItsToken ? token : CancellationToken.None);
            return x;
        }), 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(3) });
        await entered.Task.Soon();
        _clock.Advance(TimeSpan.FromSeconds(3));
        var reply = await running.Soon();
        Assert.That((reply.Status, reply.Failure!.Kind), Is.EqualTo((StatusCode.DeadlinePassed, FailureKind.TimedOut)));
        Assert.That(reply.Failure.NotProcessed, Is.False, "it began to run");
        Assert.That(reply.Failure.Message, Does.Not.Contain("before"));
        release.SetResult();
    }

    [Test]
    public async Task A_lambda_that_ends_after_the_deadline_has_no_value()
    {
        await using var node = await NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Compose.Lambda((int x) =>
        {
            _clock.Advance(TimeSpan.FromSeconds(3));
            return x;
        }), 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(3) }).Soon();
        Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, false)));
    }

    [Test]
    public async Task A_lambda_does_not_begin_after_the_deadline()
    {
        await using var node = await NodeAsync();
        var late = Compose.Lambda((int _) =>
        {
            _clock.Advance(TimeSpan.FromSeconds(3));
            return 0;
        });
        var reply = await node.Bus.TryExecuteAsync(
            late.OrOr(Compose.Lambda((int x) => x > 0 ? throw new AssertionException("began") : x, "never")),
            1,
            new RequestOptions { Timeout = TimeSpan.FromSeconds(3) }).Soon();
        Assert.That(
            (reply.Status, reply.Failure!.NotProcessed, reply.Failure.Step), Is.EqualTo((StatusCode.DeadlinePassed, false, "never")),
            "the one before it ran");
        Assert.That(reply.Failure.Message, Does.Contain("before 'never' began"));
    }

    private Task<TestNode> NodeAsync() =>
        TestNode.StartAsync(Steps.AddTo, services: services => services.AddSingleton<TimeProvider>(_clock));
}
