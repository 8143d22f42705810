using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>
/// The Redis channels and patterns that this node hears. While Redis is away a change is remembered and comes into force with
/// everything else at the end of the gap. Thread-safe.
/// </summary>
internal sealed class Channels(RedisConnection connection, IRedisWire wire, Func<Subscription, Listener> listen, ILogger logger) : IDisposable
{
    // One change at a time, because a restoration subscribes everything again.
    private readonly SemaphoreSlim _changing = new(1);
    private readonly ConcurrentDictionary<string, Action<RedisChannel, RedisValue>> _heard = new();
    private readonly ConcurrentDictionary<string, Listener> _listeners = new();

    /// <summary>Hears a channel of the transport's own.</summary>
    /// <exception cref="TransportException">Redis refuses.</exception>
    public Task HearAsync(string channel, Action<RedisChannel, RedisValue> hear, CancellationToken cancellationToken) =>
        ChangeAsync(() => SubscribeAsync(channel, hear), cancellationToken);

    /// <summary>When the task ends and Redis is there, what is published from now on arrives. When it fails, nothing does.</summary>
    /// <exception cref="TransportException">Redis refuses.</exception>
    public async Task AddAsync(IReadOnlyCollection<Subscription> subscriptions, CancellationToken cancellationToken)
    {
        try
        {
            await ChangeAsync(
                () => Task.WhenAll(subscriptions.GroupBy(ChannelOf).Select(ofChannel => AddAsync(ofChannel.Key, [.. ofChannel]))), cancellationToken)
                .ConfigureAwait(false);
        }
        catch
        {
            // Behind the change, which may still be under way when nobody waits for it any more.
            _ = Task.WhenAll(subscriptions.Select(s => RemoveAsync(s, CancellationToken.None)));
            throw;
        }
    }

    /// <summary>True when it was the last one of its channel, which is not heard any more.</summary>
    public async Task<bool> RemoveAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var wasLast = false;
        await ChangeAsync(
            async () =>
            {
                var channel = ChannelOf(subscription);
                if (_listeners.TryGetValue(channel, out var listener) && listener.Remove(subscription) == 0)
                {
                    wasLast = true;
                    _listeners.TryRemove(channel, out _);
                    await UnsubscribeAsync(channel).ConfigureAwait(false);
                }
            },
            cancellationToken).ConfigureAwait(false);
        return wasLast;
    }

    /// <summary>Hears no messages any more, but still replies. Returns the subscriptions that there were.</summary>
    public async Task<IReadOnlyList<Subscription>> RemoveAllAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<Subscription> removed = [];
        await ChangeAsync(
            () =>
            {
                removed = [.. _listeners.Values.SelectMany(l => l.Subscriptions)];
                var channels = _listeners.Keys.ToArray();
                _listeners.Clear();
                return Task.WhenAll(channels.Select(UnsubscribeAsync));
            },
            cancellationToken).ConfigureAwait(false);
        return removed;
    }

    /// <summary>Lets go of everything, for a connection that is not the bus's own.</summary>
    public Task ClearAsync(CancellationToken cancellationToken)
    {
        _listeners.Clear();
        return ChangeAsync(() => Task.WhenAll(_heard.Keys.ToArray().Select(UnsubscribeAsync)), cancellationToken);
    }

    /// <summary>
    /// Puts every subscription in force again. The client does it too when it reconnects, but does not say when Redis has
    /// acknowledged all, nor does it survive every second drop in the middle. A channel that Redis refuses now is logged.
    /// </summary>
    /// <exception cref="RedisException">Redis went away again.</exception>
    public async Task RestoreAsync(CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var subscriber = connection.Subscriber;
            var heard = _heard.ToArray();
            await Task.WhenAll(heard.Select(h => subscriber.UnsubscribeAsync(Publisher.Channel(h.Key), h.Value, CommandFlags.None))).ConfigureAwait(false);
            await Task.WhenAll(heard.Select(h => RestoreAsync(subscriber, h.Key, h.Value))).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    public void Dispose() => _changing.Dispose();

    private string ChannelOf(Subscription subscription) => subscription.Kind == MessageKind.Request
        ? wire.RequestChannel(Topic.Parse(subscription.Pattern.ToString()))
        : wire.SignalChannel(subscription.Pattern);

    private async Task AddAsync(string channel, Subscription[] subscriptions)
    {
        var listener = listen(subscriptions[0]);
        if (_listeners.TryAdd(channel, listener))
        {
            listener.Add(subscriptions);
            await SubscribeAsync(channel, listener.Hear).ConfigureAwait(false);
            return;
        }

        // The channel is heard already, and what was published before now may still be on its way. From one server it comes before
        // this answer; those of a cluster have each their own way.
        await PingAsync().ConfigureAwait(false);
        _listeners[channel].Add(subscriptions);
    }

    private async Task PingAsync()
    {
        try
        {
            await (connection.IsUp ? connection.Subscriber.PingAsync(CommandFlags.None) : Task.CompletedTask).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            // Then nothing is on its way any more.
            RedisLog.StillAway(logger, failure.Message);
        }
    }

    private async Task SubscribeAsync(string channel, Action<RedisChannel, RedisValue> hear)
    {
        _heard[channel] = hear;
        if (!connection.WasConnected)
        {
            return; // in force with the first connection
        }

        try
        {
            await connection.Subscriber.SubscribeAsync(Publisher.Channel(channel), hear, CommandFlags.None).ConfigureAwait(false);
        }
        catch (RedisServerException refusal)
        {
            await UnsubscribeAsync(channel).ConfigureAwait(false);
            throw new TransportException(
                $"Redis does not let this node subscribe: {refusal.Message}. Give its user (ServiceMesh:Redis:Configuration) the right to SUBSCRIBE and PSUBSCRIBE on the mesh's channels.",
                refusal);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            // It has just gone away: in force at the end of the gap.
            RedisLog.StillAway(logger, failure.Message);
        }
    }

    private async Task RestoreAsync(ISubscriber subscriber, string channel, Action<RedisChannel, RedisValue> hear)
    {
        try
        {
            await subscriber.SubscribeAsync(Publisher.Channel(channel), hear, CommandFlags.None).ConfigureAwait(false);
        }
        catch (RedisServerException refusal)
        {
            RedisLog.NotRestored(logger, channel, refusal.Message);
        }
    }

    // Also while Redis is away: the client subscribes by itself to what it remembers.
    private async Task UnsubscribeAsync(string channel)
    {
        if (!_heard.TryRemove(channel, out var hear) || !connection.WasConnected)
        {
            return;
        }

        try
        {
            await connection.Subscriber.UnsubscribeAsync(Publisher.Channel(channel), hear, CommandFlags.None).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or ObjectDisposedException)
        {
            RedisLog.NotUnsubscribed(logger, failure.Message);
        }
    }

    // The next change waits until this one has ended, whoever still waits for it.
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
