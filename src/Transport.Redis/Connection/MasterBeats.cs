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
    private const int MaxNames = 4096;

    private readonly ConcurrentDictionary<EndPoint, Watch> _watches = new();
    private Task _following = Task.CompletedTask;
    private volatile bool _isClosed;

    /// <summary>Sends a beat through each master, and listens to those that have come. To be called about once a second.</summary>
    public void Beat()
    {
        if (_following.IsCompleted)
        {
            _following = AttemptAsync(FollowAsync);
        }

        // None waits for another: one that stands still must not silence the rest.
        foreach (var (_, watch) in _watches)
        {
            _ = AttemptAsync(() => client.Subscriber.PublishAsync(watch.Channel, RedisValue.EmptyString));
        }
    }

    /// <summary>The master that is silent for the longest time, although it is connected; null while all are heard.</summary>
    /// <param name="isHearing">
    /// False while this node hears nothing at all or stood still, which is found elsewhere: then the silence of all begins anew.
    /// </param>
    /// <param name="limit">Half of it is not yet silence.</param>
    public (EndPoint Of, TimeSpan For)? Check(bool isHearing, TimeSpan limit)
    {
        var connected = Masters();
        (EndPoint Of, TimeSpan For)? longest = null;
        foreach (var (master, watch) in _watches)
        {
            watch.HeardAt = isHearing ? watch.HeardAt : clock.GetTimestamp();
            var silence = clock.GetElapsedTime(watch.HeardAt);
            if (silence >= limit / 2 && silence > (longest?.For ?? TimeSpan.Zero) && connected.Contains(master))
            {
                longest = (master, silence);
            }
        }

        return longest;
    }

    /// <summary>Listens no longer.</summary>
    public async Task CloseAsync()
    {
        _isClosed = true;
        await _following.ConfigureAwait(false);
        foreach (var (master, watch) in _watches)
        {
            await AttemptAsync(() => ForgetAsync(master, watch)).ConfigureAwait(false);
        }
    }

    private HashSet<EndPoint> Masters() => [.. client.Multiplexer.GetServers()
        .Where(server => server is { IsConnected: true, IsReplica: false }).Select(server => server.EndPoint)];

    private async Task FollowAsync()
    {
        // A server that is away still says what it knew last.
        if (client.Multiplexer.GetServers().Where(server => server.IsConnected).Select(server => server.ClusterConfiguration)
            .FirstOrDefault(known => known is not null) is not { } configuration)
        {
            return;
        }

        var masters = Masters();
        foreach (var (master, watch) in _watches)
        {
            if (!masters.Contains(master) || !master.Equals(configuration.GetBySlot(watch.Slot)?.EndPoint))
            {
                await ForgetAsync(master, watch).ConfigureAwait(false);
            }
        }

        foreach (var node in configuration.Nodes)
        {
            if (node is { EndPoint: { } master, Slots.Count: > 0 }
                && masters.Contains(master) && !_watches.ContainsKey(master) && !_isClosed)
            {
                await ListenAsync(master, node.Slots).ConfigureAwait(false);
            }
        }
    }

    private async Task ListenAsync(EndPoint master, IList<SlotRange> slots)
    {
        // Names differ in their end until one falls into a slot of the master.
        var name = Enumerable.Range(0, MaxNames).Select(number => $"{prefix}:{number}").FirstOrDefault(name =>
            client.Multiplexer.HashSlot(name) is var slot && slots.Any(range => range.From <= slot && slot <= range.To));
        if (name is null)
        {
            return; // it has so few slots that hardly anything is heard through it
        }

        var channel = client.HasShardedChannels ? RedisChannel.Sharded(name) : RedisChannel.Literal(name).WithKeyRouting();
        var queue = await client.Subscriber.SubscribeAsync(channel).ConfigureAwait(false);
        var watch = new Watch(channel, client.Multiplexer.HashSlot(name), queue) { HeardAt = clock.GetTimestamp() };
        queue.OnMessage(_ => watch.HeardAt = clock.GetTimestamp());
        _watches[master] = watch;
    }

    private Task ForgetAsync(EndPoint master, Watch watch)
    {
        _watches.TryRemove(KeyValuePair.Create(master, watch));
        return watch.Queue.UnsubscribeAsync();
    }

    // What fails shows in the beats that do not come back. The client bounds each command.
    private static async Task AttemptAsync(Func<Task> attempt)
    {
        try
        {
            await attempt().ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure) || failure is ArgumentException)
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
