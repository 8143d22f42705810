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
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word), ("Request:MaxBodyBytes", "1000"));
        await using var caller = await RedisNode.StartAsync(_redis.Address);

        var reply = await caller.Bus.TryRequestAsync(s_ask, new string('x', 200_000)).InTime();

        Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.BodyTooLarge, (bool?)true)), reply.Failure?.Message);
        Assert.That(reply.Failure!.Message, Does.Contain(server.Id).And.Contain("MaxBodyBytes"));
    }

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task A_reply_that_is_larger_than_its_caller_reads_ends_the_request_at_once(string wire)
    {
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (_, _) => new string('x', 200_000)), ("Redis:Wire", wire));
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Redis:Wire", wire), ("Request:MaxBodyBytes", "1000"));

        var reply = await caller.Bus.TryRequestAsync(s_ask, "large").InTime();

        Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.BodyTooLarge, (bool?)false)), reply.Failure?.Message);
    }

    [Test]
    public async Task A_cancellation_that_overtakes_its_request_reaches_the_handler()
    {
        var held = new Held();
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, held.HandleAsync));
        using var foreigner = await _redis.ConnectAsync();
        var wire = new NativeWire("mesh");
        var request = new Message
        {
            Id = new("somebody", 5),
            Kind = MessageKind.Request,
            Topic = s_ask.Topic,
            ContentType = "application/json",
            Body = "\"word\""u8.ToArray(),
        };

        await foreigner.SendAsync("PUBLISH", wire.NoticeChannel, wire.Write(Notice.Cancel(request.Id)));
        await foreigner.SendAsync("PUBLISH", wire.RequestChannel(request.Topic), wire.Write(request));

        await held.EnteredAsync();
        await held.Cancelled;
    }

    // Those who refused look after a quarter of a second whether their group's copy is lost. Under load that is before the last one refuses.
    [Test]
    public async Task A_request_whose_claim_a_refusing_member_has_closed_is_refused_all_the_same()
    {
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        var wire = new NativeWire("mesh");
        using var member = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync(_redis.Address);
        var database = member.GetDatabase();
        await member.GetSubscriber().SubscribeAsync(wire.RequestChannel(s_ask.Topic), (_, frame) =>
        {
            Assert.That(wire.TryReadMessage(MessageKind.Request, s_ask.Topic, (byte[])frame!, TimeProvider.System, out var request, out var error), Is.True, error);
            database.StringSet(wire.ClaimKey(request!.Id, "_default"), "nobody", TimeSpan.FromMinutes(1));
            var refusal = new Answer(ReplyMessage.Failure(StatusCode.Overloaded, "full", notProcessed: true), ["_default"]);
            database.Publish(wire.ReplyChannel(request.Id), wire.Write(request.Id, refusal));
        });

        var reply = await caller.Bus.TryRequestAsync(s_ask, "word").InTime();

        Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.Overloaded, (bool?)true)), reply.Failure?.Message);
    }

    [Test]
    public async Task What_is_no_node_is_not_listed()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address);
        await _redis.CommandAsync("SET", "mesh:node:strange", "garbage");
        await _redis.CommandAsync("ZADD", "mesh:nodes", "9999999999999", "strange");

        Assert.That((await node.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EqualTo([node.Id]));
        Assert.That(node.Log.Lines, Has.Some.Contains("mesh:node:strange"));
    }

    [Test]
    public async Task A_node_announces_itself_for_fifteen_seconds_and_goes_when_it_stops()
    {
        var node = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word));
        var key = $"mesh:node:{node.Id}";

        Assert.That((long)(await _redis.CommandAsync("PTTL", key))!, Is.InRange(1L, 15_000L), "dead, it is gone after that");

        await node.DisposeAsync();
        Assert.That(await _redis.CommandAsync("EXISTS", key), Is.EqualTo(0));
        Assert.That(await _redis.CommandAsync("ZCARD", "mesh:nodes"), Is.EqualTo(0));
    }

    [Test]
    public async Task A_member_of_another_group_that_leaves_ends_nobody_elses_request()
    {
        var held = new Held();
        await using var busy = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, held.HandleAsync, options => options.Group = "b"));
        await using var guest = await RedisNode.StartAsync(_redis.Address);
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        var asking = caller.Bus.RequestAsync(s_ask, "word");
        await held.EnteredAsync();

        var visit = await guest.Bus.SubscribeAsync(s_ask, (word, _) => Task.FromResult(word), new() { Group = "a" });
        await visit.DisposeAsync();
        // The claims are looked at a quarter of a second after a departure: one that is made now is looked at later.
        await Failsafe.UntilAsync(async () => (await _redis.CommandAsync("KEYS", "mesh:claim:*:a") as object?[])!.Length > 0);
        Assert.That(asking.IsCompleted, Is.False);
        held.Release();

        Assert.That(await asking.InTime(), Is.EqualTo("word"));
    }
}
