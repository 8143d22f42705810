using System.Collections.Concurrent;
using System.Text;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Sealing;

/// <summary>One who reaches Redis and has no key: hears all channels, reads all keys, and publishes what it likes.</summary>
internal sealed class Stranger : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Channel, byte[] Packet)> _heard = new();
    private readonly ConnectionMultiplexer _redis;

    private Stranger(ConnectionMultiplexer redis) => _redis = redis;

    /// <summary>Hears all plain channels, and the inboxes of these nodes.</summary>
    public static async Task<Stranger> ListenAsync(RedisServer redis, params RedisNode[] nodes)
    {
        var stranger = new Stranger(await ConnectionMultiplexer.ConnectAsync(redis.Address));
        await stranger.HearAsync(RedisChannel.Pattern("*"));
        foreach (var node in nodes)
        {
            await stranger.HearAsync(RedisChannel.Sharded(InboxOf(node)));
        }

        return stranger;
    }

    public static string InboxOf(RedisNode node) => $"mesh:inbox:{node.Id}";

    /// <summary>What was published on a channel, in order.</summary>
    public byte[][] On(string channel) => [.. _heard.Where(h => h.Channel == channel).Select(h => h.Packet)];

    /// <summary>Everything that was heard, and everything that lies in Redis.</summary>
    public async Task<IReadOnlyList<string>> EverythingAsync(RedisServer redis)
    {
        var database = _redis.GetDatabase();
        var all = _heard.Select(h => Encoding.Latin1.GetString(h.Packet)).ToList();
        foreach (var key in ((object?[])(await redis.CommandAsync("KEYS", "*"))!).Cast<string>())
        {
            all.Add(await database.KeyTypeAsync(key) switch
            {
                RedisType.Hash => string.Join(' ', (await database.HashGetAllAsync(key)).Select(f => $"{Text(f.Name)} {Text(f.Value)}")),
                RedisType.List => string.Join(' ', (await database.ListRangeAsync(key)).Select(Text)),
                RedisType.SortedSet => string.Join(' ', (await database.SortedSetRangeByRankAsync(key)).Select(Text)),
                _ => Text(await database.StringGetAsync(key)),
            });
        }

        return all;
    }

    /// <summary>Returns how many received it.</summary>
    public Task<long> PublishAsync(string channel, byte[] packet) => _redis.GetSubscriber().PublishAsync(
        channel.Contains(":inbox:", StringComparison.Ordinal) ? RedisChannel.Sharded(channel) : RedisChannel.Literal(channel), packet)
        .InTime();

    /// <summary>Pushes an entry to a list.</summary>
    public Task PushAsync(string list, byte[] entry) => _redis.GetDatabase().ListLeftPushAsync(list, entry).InTime();

    /// <summary>True when a list has that entry.</summary>
    public async Task<bool> SeesAsync(string list, byte[] entry) =>
        await _redis.GetDatabase().ListPositionAsync(list, entry).InTime() >= 0;

    public async ValueTask DisposeAsync() => await _redis.DisposeAsync();

    private static string Text(RedisValue value) => Encoding.Latin1.GetString((byte[])value!);

    private async Task HearAsync(RedisChannel channel) => (await _redis.GetSubscriber().SubscribeAsync(channel)).OnMessage(
        message => _heard.Enqueue(($"{message.Channel}", (byte[])message.Message!)));
}
