using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Receiving;

/// <summary>What becomes of requests that Redis alone can bring about.</summary>
public sealed class RequestTests
{
    private static readonly RequestTopic<string, string> s_ask = new("redis.ask");

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [Test]
    public async Task A_request_that_is_larger_than_its_receiver_reads_is_refused_at_once()
    {
        await using var server = await RedisNode.StartAsync(
            _redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word), ("Request:MaxBodyBytes", "1000"));
        await using var caller = await RedisNode.StartAsync(_redis.Address);

        var reply = await caller.Bus.TryRequestAsync(s_ask, new string('x', 200_000)).InTime();

        Assert.That(
            (reply.Status, reply.Failure?.NotProcessed),
            Is.EqualTo((StatusCode.BodyTooLarge, (bool?)true)),
            reply.Failure?.Message);
        Assert.That(reply.Failure!.Message, Does.Contain(server.Id).And.Contain("MaxBodyBytes"));
    }

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task A_reply_that_is_larger_than_its_caller_reads_ends_the_request_at_once(string wire)
    {
        await using var server = await RedisNode.StartAsync(
            _redis.Address, mesh => mesh.AddHandler(s_ask, (_, _) => new string('x', 200_000)), ("Redis:Wire", wire));
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Redis:Wire", wire), ("Request:MaxBodyBytes", "1000"));

        var reply = await caller.Bus.TryRequestAsync(s_ask, "large").InTime();

        Assert.That(
            (reply.Status, reply.Failure?.NotProcessed),
            Is.EqualTo((StatusCode.BodyTooLarge, (bool?)false)),
            reply.Failure?.Message);
    }

    [Test]
    public async Task An_entry_that_does_not_describe_a_node_is_not_listed()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address);
        var soon = DateTimeOffset.UtcNow.AddSeconds(10).ToUnixTimeMilliseconds();
        await _redis.CommandAsync("SET", "mesh:member:text", "garbage");
        await _redis.CommandAsync("HSET", "mesh:member:hash", "node", "garbage", "v", "1:0:0");
        await _redis.CommandAsync(
            "ZADD", "mesh:members",
            $"{soon}", "text", $"{soon}", "hash", $"{soon}", "none", "9999999999999", "later", $"{soon}", "a b");

        Assert.That((await node.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EqualTo([node.Id]));
        Assert.That(node.Log.Lines, Has.Some.Contains("unreadable-member"));
    }

    [Test]
    public async Task A_node_announces_itself_for_fifteen_seconds_and_goes_when_it_stops()
    {
        var node = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word));
        var key = $"mesh:member:{node.Id}";

        Assert.That((long)(await _redis.CommandAsync("PTTL", key))!, Is.InRange(1L, 15_000L), "dead, it is gone after that");

        await node.DisposeAsync();
        Assert.That(await _redis.CommandAsync("EXISTS", key), Is.EqualTo(0));
        Assert.That(await _redis.CommandAsync("ZCARD", "mesh:members"), Is.EqualTo(0));
    }
}
