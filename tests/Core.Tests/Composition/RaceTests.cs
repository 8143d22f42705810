using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

public sealed class RaceTests
{
    [Test]
    public async Task The_first_success_wins_and_the_losers_are_cancelled()
    {
        var file = TempFile.Path();
        await using (var node = await Steps.NodeAsync(("ErrorPolicy", "Queue"), ("Errors:QueueFile", file)))
        {
            var (entered, cancelled) = (Failsafe.Signal(), 0);
            var loser = Compose.Lambda(async (int x, CancellationToken token) =>
            {
                entered.TrySetResult();
                try
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
                finally
                {
                    cancelled++;
                }

                return x;
            }, "loser");
            var winner = Compose.Lambda(async (int x, CancellationToken _) =>
            {
                await entered.Task;
                return x;
            });
            Assert.That(await node.Bus.ExecuteAsync(Compose.Race(loser, winner | Steps.Add1) | Steps.Double, 1).Soon(), Is.EqualTo(4));
            await Failsafe.Until(() => cancelled == 1);
        }

        Assert.That(File.Exists(file) ? await File.ReadAllLinesAsync(file) : [], Is.Empty, "a loser is not an error");
    }

    [Test]
    public async Task A_handler_of_a_loser_is_cancelled()
    {
        var (entered, cancelled) = (Failsafe.Signal(), Failsafe.Signal());
        var hang = new RequestTopic<int, int>("race.hang");
        await using var node = await TestNode.StartAsync(mesh =>
        {
            Steps.AddTo(mesh);
            mesh.AddHandler(hang, async (x, context) =>
            {
                using var _ = context.CancellationToken.Register(() => cancelled.TrySetResult());
                entered.TrySetResult();
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
                return x;
            });
        });
        var winner = Compose.Lambda(async (int x, CancellationToken _) =>
        {
            await entered.Task;
            return x;
        });
        Assert.That(await node.Bus.ExecuteAsync(Compose.Race(hang, winner), 1).Soon(), Is.EqualTo(1));
        await cancelled.Task.Soon();
    }

    [Test]
    public async Task A_failure_does_not_win()
    {
        await using var node = await Steps.NodeAsync();
        Assert.That(await node.Bus.ExecuteAsync(Compose.Race(Steps.Unhandled, Steps.Add1, Steps.Refuse()), 1).Soon(), Is.EqualTo(2));
    }

    [Test]
    public async Task Without_a_success_the_highest_status_and_every_reply_are_the_result()
    {
        await using var node = await Steps.NodeAsync();
        var reply = await node.Bus.TryExecuteAsync(Compose.Race(Steps.Unhandled, Steps.Fail((StatusCode)418)), 1).Soon();
        Assert.That((int)reply.Status, Is.EqualTo(418));
        Assert.That(reply.Failure!.Parts.Select(part => (int)part.Status), Is.EqualTo(new[] { 404, 418 }));
        var refused = await node.Bus.TryExecuteAsync(Compose.Race(Steps.Refuse(), Steps.Refuse()), 1).Soon();
        Assert.That((refused.Failure!.NotProcessed, refused.Failure.IsRetryable), Is.EqualTo((true, true)));
    }

    [Test]
    public async Task The_deadline_ends_a_race_as_a_failure_and_the_callers_cancellation_is_thrown()
    {
        var clock = new FakeTimeProvider();
        await using var node = await TestNode.StartAsync(Steps.AddTo, services: s => s.AddSingleton<TimeProvider>(clock));
        using var entered = new CountdownEvent(2);
        var hang = Compose.Lambda(async (int x, CancellationToken token) =>
        {
            entered.Signal();
            await Task.Delay(Timeout.Infinite, token);
            return x;
        }, "hang");
        var late = node.Bus.TryExecuteAsync(Compose.Race(hang, hang), 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(1) });
        await Task.Run(() => entered.Wait(TimeSpan.FromSeconds(20)));
        clock.Advance(TimeSpan.FromSeconds(1));
        var reply = await late.Soon();
        Assert.That(
            (reply.Status, reply.Failure!.Step, reply.Failure.NotProcessed), Is.EqualTo((StatusCode.DeadlinePassed, "hang", false)));

        entered.Reset();
        using var caller = new CancellationTokenSource();
        var cancelled = node.Bus.TryExecuteAsync(Compose.Race(hang, hang), 1, caller.Token);
        await Task.Run(() => entered.Wait(TimeSpan.FromSeconds(20)));
        await caller.CancelAsync();
        await Assert.CatchAsync<OperationCanceledException>(() => cancelled.Soon());
    }
}
