using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>A repeatable request is sent to another member, and its reply says what is known about all members that got it.</summary>
[CancelAfter(40_000)]
[Parallelizable(ParallelScope.Children)]
public sealed class RepeatedRequestTests
{
    private static readonly RequestTopic<string, int> s_ask = new("repeated.ask") { IsIdempotent = true };

    [Test]
    public async Task A_request_of_a_silent_member_goes_to_a_member_that_joined_later(CancellationToken cancellationToken)
    {
        var reply = await AskTwoAsync(secondMaxBytes: 10_000, cancellationToken);

        Assert.That(reply.Value, Is.EqualTo(5_000), reply.Failure?.Message);
    }

    [Test]
    public async Task A_refusal_by_the_second_member_does_not_deny_that_the_first_one_ran(CancellationToken cancellationToken)
    {
        var reply = await AskTwoAsync(secondMaxBytes: 2_000, cancellationToken);

        Assert.That(reply.IsSuccess, Is.False);
        Assert.That(reply.Failure!.NotProcessed, Is.False, reply.Failure.Message);
    }

    // The first member runs the request and becomes silent; the second one joins before that.
    private static async Task<Reply<int>> AskTwoAsync(int secondMaxBytes, CancellationToken cancellationToken)
    {
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var redis = await RedisServer.StartAsync();
        await using var network = FaultProxy.Start(redis.Port);
        await using var first = await StartAsync(network.Address, async token =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, token);
        });
        await using var caller = await StartAsync(redis.Address, null);
        var asking = caller.Bus.TryRequestAsync(s_ask, new string('x', 5_000), cancellationToken);
        await entered.Task.WaitAsync(cancellationToken);
        await using var second = await StartAsync(
            redis.Address, _ => Task.CompletedTask, ("Request:MaxBodyBytes", secondMaxBytes.ToString(CultureInfo.InvariantCulture)));

        network.Silence(FaultDirection.Both);
        var reply = await asking.WaitAsync(cancellationToken);
        network.Heal();
        return reply;
    }

    private static Task<TestNode> StartAsync(
        string redis, Func<CancellationToken, Task>? handle, params (string Key, string Value)[] settings) => TestNode.StartAsync(
            mesh =>
            {
                mesh.AddRedisTransport();
                if (handle is not null)
                {
                    mesh.AddHandler(s_ask, async (text, context) =>
                    {
                        await handle(context.CancellationToken);
                        return text.Length;
                    });
                }
            },
            [
                ("Transport", "Redis"),
                ("Redis:Configuration", redis),
                ("ErrorPolicy", "Ignore"),
                ("DrainTimeout", "00:00:01"),
                .. settings,
            ]);
}
