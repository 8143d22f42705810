using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// On a cluster a node hears from several masters, each over a connection of its own. To each of them it sends a beat that must come
/// back: one that stays silent without a broken connection is found so. Used by one thread at a time, but for what is heard.
/// </summary>
/// <param name="client">The connection.</param>
/// <param name="prefix">What the channels begin with; one node's own.</param>
/// <param name="clock">Measures silence.</param>
internal sealed class MasterBeats(ConnectedClient client, string prefix, TimeProvider clock)
{
    private const int Slots = 16_384;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<EndPoint, Watch> _watches = new();
    private Task _following = Task.CompletedTask;

    /// <summary>Sends a beat through each master, and listens to those that have come. To be called about once a second.</summary>
    public void Beat()
    {
        if (_following.IsCompleted)
        {
            _following = AttemptAsync(FollowAsync());
        }

        // None waits for another: one that stands still must not silence the rest.
        foreach (var (_, watch) in _watches)
        {
            _ = AttemptAsync(client.Subscriber.PublishAsync(watch.Channel, RedisValue.EmptyString));
        }
    }

    /// <summary>The master that is silent for the longest time, although it is connected; null while all are heard.</summary>
    /// <param name="isHearing">
    /// False while this node hears nothing at all or stood still, which is found elsewhere: then the silence of all begins anew.
    /// </param>
    /// <param name="limit">Half of it is not yet silence.</param>
    public (EndPoint Of, TimeSpan For)? Check(bool isHearing, TimeSpan limit)
    {
        (EndPoint Of, TimeSpan For)? longest = null;
        foreach (var (master, watch) in _watches)
        {
            watch.HeardAt = isHearing ? watch.HeardAt : clock.GetTimestamp();
            var silence = clock.GetElapsedTime(watch.HeardAt);
            if (silence >= limit / 2 && silence > (longest?.For ?? TimeSpan.Zero) && client.Multiplexer.GetServer(master).IsConnected)
            {
                longest = (master, silence);
            }
        }

        return longest;
    }

    /// <summary>Listens no longer.</summary>
    public Task CloseAsync() => AttemptAsync(Task.WhenAll(_watches.Select(pair => ForgetAsync(pair.Key, pair.Value))));

    private async Task FollowAsync()
    {
        var masters = client.Multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false })
            .Select(server => server.EndPoint).ToHashSet();
        foreach (var (master, watch) in _watches)
        {
            if (!masters.Contains(master) || !Owns(master, watch.Slot))
            {
                await ForgetAsync(master, watch).ConfigureAwait(false);
            }
        }

        await Task.WhenAll(masters.Where(master => !_watches.ContainsKey(master)).Select(ListenAsync)).ConfigureAwait(false);
    }

    private async Task ListenAsync(EndPoint master)
    {
        if (NameOn(master) is not { } name)
        {
            return; // it has no slots
        }

        var channel = client.HasShardedChannels ? RedisChannel.Sharded(name) : RedisChannel.Literal(name).WithKeyRouting();
        var queue = await client.Subscriber.SubscribeAsync(channel).ConfigureAwait(false);
        var watch = new Watch(channel, client.Multiplexer.HashSlot(name), queue) { HeardAt = clock.GetTimestamp() };
        queue.OnMessage(_ => watch.HeardAt = clock.GetTimestamp());
        if (!_watches.TryAdd(master, watch))
        {
            await queue.UnsubscribeAsync().ConfigureAwait(false); // a slow attempt of before has come first
        }
    }

    private Task ForgetAsync(EndPoint master, Watch watch)
    {
        _watches.TryRemove(master, out _);
        return watch.Queue.UnsubscribeAsync();
    }

    // Names differ in their end until one falls into a slot of the master; as many attempts as there are slots find any.
    private string? NameOn(EndPoint master) => Enumerable.Range(0, Slots).Select(number => $"{prefix}:{number}")
        .FirstOrDefault(name => Owns(master, client.Multiplexer.HashSlot(name)));

    private bool Owns(EndPoint master, int slot) => master.Equals(client.Multiplexer.GetServers()
        .Select(server => server.ClusterConfiguration).FirstOrDefault(known => known is not null)?.GetBySlot(slot)?.EndPoint);

    // What fails shows in the beats that do not come back.
    private async Task AttemptAsync(Task task)
    {
        try
        {
            await task.WaitAsync(s_patience, clock).ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            // As above.
        }
    }

    private sealed class Watch(RedisChannel channel, int slot, ChannelMessageQueue queue)
    {
        private long _heardAt;

        public RedisChannel Channel => channel;

        public int Slot => slot;

        public ChannelMessageQueue Queue => queue;

        /// <summary>A timestamp.</summary>
        public long HeardAt
        {
            get => Volatile.Read(ref _heardAt);
            set => Volatile.Write(ref _heardAt, value);
        }
    }
}
