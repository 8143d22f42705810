using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using ServiceMesh.Links;

namespace ServiceMesh.Redis;

/// <summary>
/// This node's entry in the directory. Changes that come while one is being written go together with the next one. Those that
/// change wait until the other nodes have taken the change over, or for a second. Thread-safe.
/// </summary>
internal sealed class OwnEntry(DirectoryStore store, MemberDirectory directory, RedisConnection connection, TransportContext context,
    ILogger logger)
{
    // How long a change waits for the others.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    // A notice beyond this would cost every node more than reading the entry.
    private const int MaxNoticed = 200;

    private readonly Lock _lock = new();
    private readonly CoalescedTask _writing = new();
    private readonly List<Waiter> _waiters = [];
    private Announcement? _self;
    private Link _link = null!; // set with the one above
    private ImmutableHashSet<Offer> _offers = [];
    private Dictionary<Offer, int> _counts = [];
    private HashSet<Offer> _changed = [];
    private EntryState _state;
    private bool _mustWriteAll = true;
    private bool _mustRenew;
    private bool _hasLeft;

    /// <summary>Announces the node. Without Redis the end of the gap makes up for it.</summary>
    /// <param name="self">Who it is.</param>
    /// <param name="link">The link to itself: its own handlers are members like any other's.</param>
    public Task StartAsync(Announcement self, Link link)
    {
        (_self, _link) = (self, link);
        return AnnounceAsync();
    }

    /// <summary>Writes everything again, for instance after a gap.</summary>
    public Task AnnounceAsync()
    {
        lock (_lock)
        {
            _mustWriteAll = true;
        }

        return WriteAsync(waitForOthers: false, CancellationToken.None);
    }

    /// <summary>Adds and removes. When the task ends, the other nodes have heard of it, or a second has passed.</summary>
    public Task ChangeAsync(IEnumerable<Offer> added, IEnumerable<Offer> removed, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // Several subscribers of one node may be the same to the others.
            foreach (var offer in added)
            {
                _counts[offer] = _counts.GetValueOrDefault(offer) + 1;
                if (_counts[offer] == 1)
                {
                    _offers = _offers.Add(offer);
                    _changed.Add(offer);
                }
            }

            foreach (var offer in removed)
            {
                if (_counts.TryGetValue(offer, out var count) && count == 1)
                {
                    _counts.Remove(offer);
                    _offers = _offers.Remove(offer);
                    _changed.Add(offer);
                }
                else if (count > 1)
                {
                    _counts[offer] = count - 1;
                }
            }
        }

        return WriteAsync(waitForOthers: true, cancellationToken);
    }

    /// <summary>Says that this node takes nothing new.</summary>
    public Task DrainAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _state = _state with { IsDraining = true };
            _mustWriteAll = true;
        }

        return WriteAsync(waitForOthers: true, cancellationToken);
    }

    /// <summary>Keeps the entry alive, and gives a sign of life.</summary>
    public Task RenewAsync()
    {
        lock (_lock)
        {
            _mustRenew = true;
        }

        return WriteAsync(waitForOthers: false, CancellationToken.None);
    }

    /// <summary>Takes this node out of the directory.</summary>
    public async Task LeaveAsync()
    {
        lock (_lock)
        {
            _hasLeft = true;
        }

        if (_self is null || !connection.IsUp)
        {
            return;
        }

        try
        {
            await store.RemoveAsync(_self.Id).ConfigureAwait(false);
            await store.PublishAsync(new(_self.Id, long.MaxValue, IsGone: true)).ConfigureAwait(false);
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            // The entry expires by itself.
            RedisLog.NotAnnounced(logger, Printable.Line(failure.Message));
        }
    }

    /// <summary>Another node has taken over a version of this entry.</summary>
    public void Applied(string peer, long version)
    {
        List<Waiter>? done = null;
        lock (_lock)
        {
            foreach (var waiter in _waiters.Where(w => w.Version <= version))
            {
                waiter.Peers.Remove(peer);
                if (waiter.Peers.Count == 0)
                {
                    (done ??= []).Add(waiter);
                }
            }

            done?.ForEach(waiter => _waiters.Remove(waiter));
        }

        done?.ForEach(waiter => waiter.Done.TrySetResult());
    }

    private async Task WriteAsync(bool waitForOthers, CancellationToken cancellationToken)
    {
        Waiter? waiter = null;
        // Without Redis no node can be told; the end of the gap announces everything.
        await _writing.RunAsync(async () =>
        {
            waiter = await WriteAndRenewOnceAsync().ConfigureAwait(false) ?? waiter;
        }).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (!waitForOthers || (waiter ?? Latest()) is not { } last)
        {
            return;
        }

        try
        {
            await last.Done.Task.WaitAsync(s_patience, context.Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            lock (_lock)
            {
                _waiters.Remove(last);
            }
        }
    }

    private Waiter? Latest()
    {
        lock (_lock)
        {
            return _waiters.Count > 0 ? _waiters[^1] : null;
        }
    }

    // Both in one run: a renewal beside a write could put the state of before the write behind it.
    private async Task<Waiter?> WriteAndRenewOnceAsync()
    {
        var waiter = await WriteOnceAsync().ConfigureAwait(false);
        if (await RenewOnceAsync().ConfigureAwait(false))
        {
            return waiter;
        }

        MustWriteAll();
        return await WriteOnceAsync().ConfigureAwait(false) ?? waiter;
    }

    // False when the entry is not whole and must be written again.
    private async Task<bool> RenewOnceAsync()
    {
        EntryState state;
        string id;
        lock (_lock)
        {
            // When it could not be written just now, the next run writes all of it.
            if (!_mustRenew || _hasLeft || _self is null || _mustWriteAll)
            {
                _mustRenew = false;
                return true;
            }

            (state, id, _mustRenew) = (_state, _self.Id, false);
        }

        try
        {
            if (!await store.RenewAsync(id, state).ConfigureAwait(false))
            {
                return false;
            }

            await store.PublishAsync(new(id, state.Version)).ConfigureAwait(false);
            return true;
        }
        catch (StackExchange.Redis.RedisServerException)
        {
            return false; // the key has another type
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            return true; // the next renewal makes up for it
        }
    }

    private async Task<Waiter?> WriteOnceAsync()
    {
        Offer[] added, removed;
        EntryState state;
        ImmutableHashSet<Offer> offers;
        long from;
        bool all;
        Waiter waiter;
        lock (_lock)
        {
            if (_hasLeft || _self is null || (_changed.Count == 0 && !_mustWriteAll))
            {
                return null;
            }

            (offers, all, from) = (_offers, _mustWriteAll, _state.Version);
            added = [.. _changed.Where(offers.Contains)];
            removed = [.. _changed.Where(o => !offers.Contains(o))];
            state = _state = _state with { Version = from + 1, Count = offers.Count };
            _changed = [];
            _mustWriteAll = false;
            waiter = new(state.Version, [.. directory.Members.Select(m => m.Id).Where(id => id != _self.Id)]);
            _waiters.Add(waiter);
        }

        directory.Set(new(_self, state, offers, _link), all ? null : [.. added, .. removed]);
        if (waiter.Peers.Count == 0)
        {
            Forget(waiter);
        }

        if (!connection.WasConnected)
        {
            MustWriteAll();
            Forget(waiter);
            return null;
        }

        try
        {
            await (all ? store.WriteAllAsync(_self, state, offers) : store.WriteChangeAsync(_self, state, offers, added, removed))
                .ConfigureAwait(false);
            await store.PublishAsync(all || added.Length + removed.Length > MaxNoticed
                ? new(_self.Id, state.Version)
                : new(_self.Id, state.Version, from, Texts(added), Texts(removed))).ConfigureAwait(false);
            return waiter;
        }
        catch (Exception failure) when (RedisConnection.IsOfRedis(failure))
        {
            // The end of the gap, or the next renewal, writes all of it.
            MustWriteAll();
            Forget(waiter);
            if (failure is StackExchange.Redis.RedisServerException refusal)
            {
                connection.Refused(Printable.Line(refusal.Message));
            }

            RedisLog.NotAnnounced(logger, Printable.Line(failure.Message));
            return null;
        }
    }

    private void MustWriteAll()
    {
        lock (_lock)
        {
            _mustWriteAll = true;
        }
    }

    private void Forget(Waiter waiter)
    {
        lock (_lock)
        {
            _waiters.Remove(waiter);
        }

        waiter.Done.TrySetResult();
    }

    private static string[]? Texts(Offer[] offers) => offers.Length == 0 ? null : Array.ConvertAll(offers, o => o.ToString());

    /// <summary>A version that was written, and the nodes that have not taken it over yet.</summary>
    private sealed record Waiter(long Version, HashSet<string> Peers)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
