using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// What this node hears on Redis: each entry is one queue of the client, which delivers in order and away from the thread that
/// reads. While Redis is away a change is remembered and comes into force with everything else at the end of the gap. Thread-safe.
/// </summary>
internal sealed class RedisSubscriptions(RedisConnection connection, TimeProvider clock, ILogger logger) : IDisposable
{
    // The client is connected for commands a moment before it is for subscriptions.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(25);

    // One change at a time, because a restoration subscribes everything again.
    private readonly SemaphoreSlim _changing = new(1);
    private readonly Dictionary<RedisChannel, int> _channels = [];
    private readonly HashSet<Entry> _entries = [];

    /// <summary>One thing that is heard. Give it back to <see cref="ForgetAsync"/>.</summary>
    internal sealed class Entry(RedisChannel channel, Action<RedisChannel, RedisValue> hear)
    {
        // Only messages of this queue count: those of a connection that was replaced are of the gap.
        private volatile ChannelMessageQueue? _queue;

        public RedisChannel Channel => channel;

        /// <summary>True while messages arrive.</summary>
        public bool IsHeard => _queue is not null;

        /// <summary>The queue that was followed last, and what it belongs to.</summary>
        public (ConnectedClient? Client, ChannelMessageQueue? Queue) Last { get; private set; }

        public void Follow(ConnectedClient client, ChannelMessageQueue queue)
        {
            Last = (client, queue);
            _queue = queue;
            queue.OnMessage(message =>
            {
                if (ReferenceEquals(_queue, queue))
                {
                    hear(message.Channel, message.Message);
                }
            });
        }

        public void Mute() => _queue = null;
    }

    /// <summary>When the task ends and Redis is there, what is published from now on arrives, and nothing that was before.</summary>
    /// <param name="channel">A channel or a pattern.</param>
    /// <param name="hear">Called for one message after the other. Does nothing slow and does not throw.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TransportException">Redis refuses.</exception>
    public async Task<Entry> HearAsync(RedisChannel channel, Action<RedisChannel, RedisValue> hear, CancellationToken cancellationToken)
    {
        var entry = new Entry(channel, hear);
        try
        {
            await ChangeAsync(() => AddAsync(entry), cancellationToken).ConfigureAwait(false);
            return entry;
        }
        catch
        {
            // Behind the change, which may still be under way when nothing waits for it.
            _ = ForgetAsync(entry, CancellationToken.None);
            throw;
        }
    }

    /// <summary>When the task ends, nothing more arrives.</summary>
    public Task ForgetAsync(Entry entry, CancellationToken cancellationToken)
    {
        entry.Mute();
        return ChangeAsync(() => RemoveAsync(entry), cancellationToken);
    }

    /// <summary>What still arrives on the old connection is not heard any longer.</summary>
    public void Mute() => Array.ForEach(All(), entry => entry.Mute());

    /// <summary>Subscribes to everything on the current connection. A channel that Redis refuses now is logged.</summary>
    /// <exception cref="RedisException">Redis went away again.</exception>
    public async Task RestoreAsync(CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await Task.WhenAll(All().Select(entry => SubscribeAsync(entry))).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Subscribes to what was added while the gap was about to end.</summary>
    public async Task RestoreMissingAsync()
    {
        try
        {
            await ChangeAsync(
                () => Task.WhenAll(All().Where(entry => !entry.IsHeard).Select(entry => SubscribeAsync(entry))), CancellationToken.None)
                    .ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            connection.Break($"A subscription was not acknowledged: {Printable.Line(failure.Message)}");
        }
    }

    /// <summary>Lets go of everything, for a connection that is not the bus's own.</summary>
    public Task ClearAsync(CancellationToken cancellationToken) => ChangeAsync(
        async () =>
        {
            var all = All();
            lock (_entries)
            {
                _entries.Clear();
                _channels.Clear();
            }

            Array.ForEach(all, entry => entry.Mute());
            await Task.WhenAll(all.Select(UnsubscribeAsync)).ConfigureAwait(false);
        },
        cancellationToken);

    public void Dispose() => _changing.Dispose();

    private async Task AddAsync(Entry entry)
    {
        var isHeardAlready = false;
        lock (_entries)
        {
            _entries.Add(entry);
            _channels[entry.Channel] = _channels.GetValueOrDefault(entry.Channel) + 1;
            isHeardAlready = _channels[entry.Channel] > 1;
        }

        if (!connection.IsUp)
        {
            return; // in force at the end of the gap
        }

        try
        {
            if (isHeardAlready)
            {
                // What was published before now may still be on its way. From one server it comes before this answer.
                await connection.Subscriber.PingAsync().ConfigureAwait(false);
            }

            await FollowAsync(entry).ConfigureAwait(false);
        }
        catch (RedisServerException refusal)
        {
            throw new TransportException(
                $"Redis does not let this node subscribe: {Printable.Line(refusal.Message)}. " +
                "Give its user (ServiceMesh:Redis:Configuration) the rights of the line in docs/redis.md: SUBSCRIBE, PSUBSCRIBE and " +
                "SSUBSCRIBE on the mesh's channels.",
                refusal);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            // In force after the connection was replaced.
            connection.Break($"A subscription was not acknowledged: {Printable.Line(failure.Message)}");
        }
    }

    private Task RemoveAsync(Entry entry)
    {
        lock (_entries)
        {
            if (!_entries.Remove(entry))
            {
                return Task.CompletedTask;
            }

            if (--_channels[entry.Channel] == 0)
            {
                _channels.Remove(entry.Channel);
            }
        }

        // Again, because it may have been restored meanwhile.
        entry.Mute();
        return UnsubscribeAsync(entry);
    }

    private async Task SubscribeAsync(Entry entry)
    {
        // On a connection that was handed in the queue of before is still there, and would keep the client from asking Redis again.
        if (entry.Last is { Client: { } last, Queue: { } queue } && last.Multiplexer == connection.Client?.Multiplexer)
        {
            await queue.UnsubscribeAsync().ConfigureAwait(false);
        }

        try
        {
            await FollowAsync(entry).ConfigureAwait(false);
        }
        catch (RedisServerException refusal)
        {
            RedisLog.NotRestored(logger, Printable.Line(entry.Channel.ToString()), Printable.Line(refusal.Message));
        }
    }

    private async Task FollowAsync(Entry entry)
    {
        var client = connection.Client!;
        var begun = clock.GetTimestamp();
        while (true)
        {
            try
            {
                entry.Follow(client, await client.Subscriber.SubscribeAsync(entry.Channel).ConfigureAwait(false));
                return;
            }
            catch (RedisConnectionException failure)
                when (failure.CommandStatus == CommandStatus.WaitingToBeSent
                    && clock.GetElapsedTime(begun) < s_patience && client == connection.Client)
            {
                await Task.Delay(s_pause, clock).ConfigureAwait(false);
            }
        }
    }

    private async Task UnsubscribeAsync(Entry entry)
    {
        if (entry.Last is not { Client: { } client, Queue: { } queue } || client != connection.Client)
        {
            return; // with its connection
        }

        try
        {
            await queue.UnsubscribeAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            RedisLog.NotUnsubscribed(logger, Printable.Line(failure.Message));
        }
    }

    private Entry[] All()
    {
        lock (_entries)
        {
            return [.. _entries];
        }
    }

    // The next change waits until this one has ended, even when nothing waits for it any longer.
    private Task ChangeAsync(Func<Task> change, CancellationToken cancellationToken)
    {
        var changing = RunAsync();
        return changing.IsCompleted ? changing : changing.WaitAsync(cancellationToken);

        async Task RunAsync()
        {
            await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await change().ConfigureAwait(false);
            }
            finally
            {
                _changing.Release();
            }
        }
    }
}
