using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>A service that is started before its Redis.</summary>
public sealed class KeepTryingTests
{
    private static readonly RequestTopic<string, string> s_ask = new("keep.ask");

    [Test]
    public async Task A_node_that_keeps_trying_starts_without_Redis_and_serves_when_Redis_is_there()
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.KillAsync();
        await using var node = await RedisNode.StartAsync(
            redis.Address,
            mesh => mesh.AddHandler(s_ask, (word, _) => word),
            ("Redis:KeepTrying", "true"), ("Redis:ConnectTimeout", "00:00:01"));
        var ended = new TaskCompletionSource<RedisGap>();
        node.Gaps.Ended += (_, gap) => ended.SetResult(gap);

        var without = await node.Bus.TryRequestAsync(s_ask, "hello").InTime();
        var health = node.Health;
        await redis.StartAgainAsync();
        var gap = await ended.Task.InTime();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(without.Status, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(without.Failure!.NotProcessed, Is.True);
            Assert.That(health.State, Is.Not.EqualTo(TransportState.Healthy));
            Assert.That(node.Log.Has(LogLevel.Warning, redis.Address), "the log says where it is looked for");
            Assert.That(gap.To, Is.GreaterThan(gap.From));
            Assert.That(await node.Bus.RequestAsync(s_ask, "there").InTime(), Is.EqualTo("there"));
            Assert.That(node.Health.State, Is.EqualTo(TransportState.Healthy), node.Health.Reason);
        }
    }

    [Test]
    public async Task A_node_that_still_tries_can_be_stopped()
    {
        await using var node = await RedisNode.StartAsync(
            $"127.0.0.1:{FreePort.Next()}", null,
            ("Redis:KeepTrying", "true"), ("Redis:ConnectTimeout", "00:00:01"));
        var bus = node.Bus;

        await node.DisposeAsync();

        Assert.That((await bus.TryRequestAsync(s_ask, "hello").InTime()).Status, Is.EqualTo(StatusCode.Unavailable));
    }
}
