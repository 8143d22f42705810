using System.Collections.Concurrent;

namespace ServiceMesh.Redis;

/// <summary>
/// The handlers of this node behind the channels of Gilmour. The handlers of a topic's requests share what is heard, because the
/// node refuses once for all its groups; each subscriber of signals hears by itself. Thread-safe.
/// </summary>
internal sealed class Channels(RedisSubscriptions subscriptions, Func<Subscription, Listener> listen) : IDisposable
{
    private readonly SemaphoreSlim _changing = new(1);
    private readonly ConcurrentDictionary<string, (Listener Listener, RedisSubscriptions.Entry Entry)> _requests = new();
    private readonly ConcurrentDictionary<Subscription, RedisSubscriptions.Entry[]> _signals = new();

    /// <summary>When the task ends and Redis is there, what is published from now on arrives. When it fails, nothing does.</summary>
    /// <exception cref="TransportException">Redis refuses.</exception>
    public async Task AddAsync(IReadOnlyCollection<Subscription> added, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await Task.WhenAll(
            [
                .. added.Where(s => s.Kind == MessageKind.Signal).Select(s => AddSignalAsync(s, cancellationToken)),
                .. added.Where(s => s.Kind == MessageKind.Request)
                    .GroupBy(RequestChannelOf)
                    .Select(g => AddRequestsAsync(g.Key, [.. g], cancellationToken)),
            ]).ConfigureAwait(false);
        }
        catch
        {
            _ = Task.WhenAll(added.Select(s => RemoveAsync(s, CancellationToken.None)));
            throw;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>True when it was the last one of a topic's requests, which are not heard any longer.</summary>
    public async Task<bool> RemoveAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (subscription.Kind == MessageKind.Signal)
            {
                await (_signals.TryRemove(subscription, out var own) ? ForgetAsync(own, cancellationToken) : Task.CompletedTask)
                    .ConfigureAwait(false);
                return false;
            }

            var channel = RequestChannelOf(subscription);
            if (!_requests.TryGetValue(channel, out var shared) || shared.Listener.Remove(subscription) > 0)
            {
                return false;
            }

            _requests.TryRemove(channel, out _);
            await subscriptions.ForgetAsync(shared.Entry, cancellationToken).ConfigureAwait(false);
            return true;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Hears no messages any longer, but still replies. Returns the subscriptions that there were.</summary>
    public async Task<IReadOnlyList<Subscription>> RemoveAllAsync(CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            IReadOnlyList<Subscription> removed = [.. _requests.Values.SelectMany(r => r.Listener.Subscriptions), .. _signals.Keys];
            RedisSubscriptions.Entry[] entries = [.. _requests.Values.Select(r => r.Entry), .. _signals.Values.SelectMany(e => e)];
            _requests.Clear();
            _signals.Clear();
            await ForgetAsync(entries, cancellationToken).ConfigureAwait(false);
            return removed;
        }
        finally
        {
            _changing.Release();
        }
    }

    public void Dispose() => _changing.Dispose();

    private Task ForgetAsync(IEnumerable<RedisSubscriptions.Entry> entries, CancellationToken cancellationToken) =>
        Task.WhenAll(entries.Select(entry => subscriptions.ForgetAsync(entry, cancellationToken)));

    private string RequestChannelOf(Subscription subscription) => GilmourWire.RequestChannel(Topic.Parse(subscription.Pattern.ToString()));

    private async Task AddSignalAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var listener = listen(subscription);
        listener.Add([subscription]);
        foreach (var channel in GilmourWire.SignalChannels(subscription.Pattern))
        {
            // One after the other, so that those before one that is refused are known, and forgotten.
            var entry = await subscriptions.HearAsync(Publisher.Channel(channel), listener.Hear, cancellationToken).ConfigureAwait(false);
            _signals[subscription] = [.. _signals.GetValueOrDefault(subscription) ?? [], entry];
        }
    }

    private async Task AddRequestsAsync(string channel, Subscription[] added, CancellationToken cancellationToken)
    {
        if (_requests.TryGetValue(channel, out var shared))
        {
            shared.Listener.Add(added);
            return;
        }

        var listener = listen(added[0]);
        listener.Add(added);
        _requests[channel] = (
            listener,
            await subscriptions.HearAsync(Publisher.Channel(channel), listener.Hear, cancellationToken).ConfigureAwait(false));
    }
}
