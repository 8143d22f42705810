namespace ServiceMesh.Http;

/// <summary>
/// The other nodes that watch this node's document. A change is sent to all of them at once, and the node can wait until they have
/// confirmed it: a watcher that polls with a version has processed that version. Thread-safe.
/// </summary>
internal sealed class Watchers
{
    // A watcher confirms within a round trip. A watcher that hangs must not delay a start or a drain for longer.
    private static readonly TimeSpan s_maxWait = TimeSpan.FromSeconds(2);

    // Names come from outside, so their number is bounded. A watcher polls at least once a minute.
    private const int MaxWatchers = 4096;
    private static readonly TimeSpan s_stale = TimeSpan.FromMinutes(3);

    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Watcher> _all = [];
    private TaskCompletionSource _changed = NewSignal();
    private TaskCompletionSource _confirmed = NewSignal();
    private long _version = 1;
    private bool _closed;

    public Watchers(TimeProvider clock) => _clock = clock;

    public long Version
    {
        get
        {
            lock (_lock)
            {
                return _version;
            }
        }
    }

    /// <summary>The document has changed. Completes when all watchers have confirmed it, or after two seconds.</summary>
    /// <returns>The watchers that have not confirmed it.</returns>
    public Task<IReadOnlyList<string>> NotifyAsync(CancellationToken cancellationToken)
    {
        long version;
        lock (_lock)
        {
            version = ++_version;
            Renew(ref _changed);
        }

        return UntilAllAsync(watcher => watcher.Version >= version, cancellationToken);
    }

    /// <summary>Completes when no watcher has requests in flight to this node, or after two seconds.</summary>
    /// <returns>The watchers that have not confirmed that.</returns>
    public Task<IReadOnlyList<string>> UntilIdleAsync(CancellationToken cancellationToken) =>
        UntilAllAsync(watcher => watcher.IsIdle, cancellationToken);

    /// <summary>
    /// One long poll: completes when the version differs from the one that the watcher knows, or after <paramref name="wait"/>.
    /// </summary>
    /// <param name="name">The name of the watcher; null for a caller that does not watch.</param>
    /// <param name="known">The version that the watcher has processed; null if it has none of this node.</param>
    /// <param name="isIdle">Whether the watcher has no requests in flight to this node.</param>
    /// <param name="wait">How long the watcher waits.</param>
    /// <param name="gone">Fires when the watcher has closed the connection.</param>
    public async Task PollAsync(string? name, long? known, bool isIdle, TimeSpan wait, CancellationToken gone)
    {
        Task changed;
        object? poll = null;
        lock (_lock)
        {
            if (name is not null && HasPlaceNeedsLock(name))
            {
                var watcher = new Watcher(known ?? -1, isIdle, _clock.GetTimestamp());
                poll = watcher;
                _all[name] = watcher;
                Renew(ref _confirmed);
            }

            changed = known == _version && !_closed ? _changed.Task : Task.CompletedTask;
        }

        try
        {
            await changed.WaitAsync(wait, _clock, gone).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Nothing has changed: the watcher receives the same document and polls again.
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // It has closed the connection without another poll, so the node does not wait for it.
            lock (_lock)
            {
                if (name is not null && _all.TryGetValue(name, out var last) && ReferenceEquals(last, poll))
                {
                    _all.Remove(name);
                    Renew(ref _confirmed);
                }
            }

            throw;
        }
    }

    /// <summary>A watcher has ended between two polls: the node does not wait for it.</summary>
    public void Remove(string name)
    {
        lock (_lock)
        {
            if (_all.Remove(name))
            {
                Renew(ref _confirmed);
            }
        }
    }

    /// <summary>Answers all polls, and from then on each poll at once.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            Renew(ref _changed);
        }
    }

    private async Task<IReadOnlyList<string>> UntilAllAsync(Func<Watcher, bool> satisfies, CancellationToken cancellationToken)
    {
        using var maxWait = new CancellationTokenSource(s_maxWait, _clock);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(maxWait.Token, cancellationToken);
        while (true)
        {
            string[] missing;
            Task confirmed;
            lock (_lock)
            {
                missing = [.. _all.Where(w => !satisfies(w.Value)).Select(w => w.Key)];
                confirmed = _confirmed.Task;
            }

            if (missing.Length == 0)
            {
                return missing;
            }

            try
            {
                await confirmed.WaitAsync(limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (maxWait.IsCancellationRequested)
            {
                // They are not waited for until they poll again.
                lock (_lock)
                {
                    foreach (var name in missing)
                    {
                        _all.Remove(name);
                    }
                }

                return missing;
            }
        }
    }

    // A watcher without a place is answered like any other, and not waited for.
    private bool HasPlaceNeedsLock(string name)
    {
        if (_all.Count < MaxWatchers || _all.ContainsKey(name))
        {
            return true;
        }

        foreach (var stale in _all.Where(w => _clock.GetElapsedTime(w.Value.Asked) > s_stale).Select(w => w.Key).ToArray())
        {
            _all.Remove(stale);
        }

        return _all.Count < MaxWatchers;
    }

    // Continuations run asynchronously, so no other code runs under the lock.
    private static void Renew(ref TaskCompletionSource signal)
    {
        signal.TrySetResult();
        signal = NewSignal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Watcher(long Version, bool IsIdle, long Asked);
}
