using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>Anybody who reaches Redis can publish anything on our channels. It is counted and skipped, and the node lives on.</summary>
public sealed class GarbageTests
{
    private static readonly RequestTopic<string, string> s_ask = new("faults.ask");
    private static readonly SignalTopic<string> s_news = new("faults.news");
    private static readonly SignalPattern<string> s_any = new("faults.any.*");

    // No JSON, no frame, and no frame of a version to come.
    private static readonly byte[][] s_garbage =
    [
        [], [0], [0xFF], "{"u8.ToArray(), "{\"data\":"u8.ToArray(), "\"open"u8.ToArray(), [1, 2, 3, 4, 5, 6, 7, 8],
        Encoding.UTF8.GetBytes(new string('[', 100_000)), [0xC3, 0x28, 0xA0, 0xA1], [.. Enumerable.Repeat((byte)0xFE, 5_000)],
        .. Random(seed: 1, count: 100),
    ];

    // Other programs' messages that are JSON all the same: at most a message without use.
    private static readonly string[] s_foreign =
    [
        "null", "true", "12", "[]", "{}", "[1,2]", "{\"data\":null}", "{\"data\":1,\"code\":\"x\"}",
        "{\"code\":99999999999}", "{\"sender\":[]}",
        "{\"data\":{},\"code\":-1,\"sender\":\"\"}",
        "{\"data\":\"x\",\"code\":200,\"sender\":\"gilmour.response.unknown\"}",
        "{\"data\":\"x\",\"sender\":\"a b\\u0000*\"}",
    ];

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task Garbage_on_every_channel_is_counted_and_skipped_and_the_node_lives_on(string wire)
    {
        await using var redis = await RedisServer.StartAsync();
        var news = new Inbox<string>();
        await using var node = await RedisNode.StartAsync(
            redis.Address,
            mesh => mesh.AddHandler(s_ask, (word, _) => word).AddHandler(s_news, news.ReceiveAsync).AddHandler(s_any, news.ReceiveAsync),
            ("Redis:Wire", wire), ("Request:MaxBodyBytes", "100000"));
        await using var caller = await RedisNode.StartAsync(redis.Address, null, ("Redis:Wire", wire));
        using var foreigner = await redis.ConnectAsync();
        var channels = await ChannelsAsync(foreigner, node, wire);
        Assert.That(channels, Has.Count.GreaterThanOrEqualTo(4), "signal, pattern, notices, and the inbox or requests and replies");

        foreach (var channel in channels)
        {
            var dropped = 0L;
            using var count = CountDropped(() => Interlocked.Increment(ref dropped));
            var receivers = 0L;
            foreach (var garbage in s_garbage)
            {
                receivers += await PublishAsync(foreigner, channel, garbage);
            }

            foreach (var foreign in s_foreign)
            {
                await PublishAsync(foreigner, channel, foreign);
            }

            // Not all of it must be malformed to each: random bytes may be a frame by chance, and a foreign message may be one.
            Assert.That(receivers, Is.GreaterThanOrEqualTo(s_garbage.Length), $"{channel} has a subscriber");
            await Failsafe.UntilAsync(() => Interlocked.Read(ref dropped) >= receivers * 9 / 10);

            Assert.That(await caller.Bus.RequestAsync(s_ask, channel).InTime(), Is.EqualTo(channel), $"after garbage on {channel}");
        }

        await caller.Bus.SignalAsync(s_news, "still here").InTime();
        await caller.Bus.SignalAsync(new SignalTopic<string>("faults.any.thing"), "here too").InTime();
        await Failsafe.UntilAsync(() => news.All.Contains("still here") && news.All.Contains("here too"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(node.Health.State, Is.EqualTo(TransportState.Healthy), node.Health.Reason);
            Assert.That(caller.Waiting, Is.Zero);
        }
    }

    // Of what is larger than allowed, the size is all that is looked at.
    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task What_is_too_large_is_skipped_before_it_is_read(string wire)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var node = await RedisNode.StartAsync(
            redis.Address,
            mesh => mesh.AddHandler(s_ask, (word, _) => word).AddHandler(s_news, (_, _) => { }),
            ("Redis:Wire", wire), ("Request:MaxBodyBytes", "1000"));
        using var foreigner = await redis.ConnectAsync();
        var channels = await ChannelsAsync(foreigner, node, wire);
        var dropped = 0L;
        using var count = CountDropped(() => Interlocked.Increment(ref dropped));

        var receivers = 0L;
        foreach (var channel in channels)
        {
            receivers += await PublishAsync(foreigner, channel, "{\"data\":\"" + new string('x', 200_000) + "\"}");
        }

        Assert.That(receivers, Is.GreaterThanOrEqualTo(3), "signal, notices, and the inbox or requests and replies");
        await Failsafe.UntilAsync(() => Interlocked.Read(ref dropped) == receivers);
        Assert.That(node.Log.Lines, Has.Some.Contains("bytes"));
        Assert.That(await node.Bus.RequestAsync(s_ask, "still here").InTime(), Is.EqualTo("still here"));
    }

    // Every channel with a subscriber, except the client's own and those of beats; a pattern by a name that it matches.
    private static async Task<IReadOnlyList<string>> ChannelsAsync(RedisClient client, RedisNode node, string wire)
    {
        var literal = ((object?[])(await client.SendAsync("PUBSUB", "CHANNELS"))!).Cast<string>()
            .Where(c => !c.StartsWith("__", StringComparison.Ordinal) && !c.StartsWith("gilmour.mesh.beat", StringComparison.Ordinal));
        string[] more = wire == "Gilmour"
            ? [.. GilmourWire.SignalChannels(TopicPattern.Parse("faults.any.*")), GilmourWire.ReplySubscription(node.Id)]
            : ["mesh:signal:faults.any.*", $"mesh:inbox:{node.Id}"];
        return [.. literal.Union(more.Select(pattern => pattern.Replace('*', '7')))];
    }

    // Inboxes are sharded channels.
    private static async Task<long> PublishAsync(RedisClient client, string channel, object frame) =>
        (long)(await client.SendAsync(
            channel.StartsWith("mesh:inbox:", StringComparison.Ordinal) ? "SPUBLISH" : "PUBLISH",
            channel, frame))!;

    private static MeterListener CountDropped(Action dropped)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "servicemesh.dropped.messages")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => dropped());
        listener.Start();
        return listener;
    }

    private static IEnumerable<byte[]> Random(int seed, int count)
    {
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var bytes = new byte[random.Next(1, 300)];
            random.NextBytes(bytes);
            yield return bytes;
        }
    }
}
