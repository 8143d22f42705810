namespace ServiceMesh.Http;

/// <summary>
/// The other nodes that watch this node's document. A change is told to all of them at once, and whoever changes something
/// can wait until they have heard: a watcher that asks for what comes after a version has taken that version in.
/// Thread-safe.
/// </summary>
internal sealed class Watchers
{
    // A watcher that is there answers within a round trip. One that hangs must not hold up a start or a drain for longer.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    // Names come from outside, so what is remembered of them is bounded. Who watches asks at least once a minute.
    private const int MostWatchers = 4096;
    private static readonly TimeSpan s_stale = TimeSpan.FromMinutes(3);

    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Watcher> _all = [];
    private TaskCompletionSource _changed = NewSignal();
    private TaskCompletionSource _heard = NewSignal();
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

    /// <summary>Something in the document has changed: ends when everybody who watches has heard, or after two seconds.</summary>
    /// <returns>Those who have not heard.</returns>
    public Task<IReadOnlyList<string>> TellAsync(CancellationToken cancellationToken)
    {
        long version;
        lock (_lock)
        {
            version = ++_version;
            Renew(ref _changed);
        }

        return UntilAllAsync(watcher => watcher.Heard >= version, cancellationToken);
    }

    /// <summary>Ends when everybody who watches has nothing under way to this node any more, or after two seconds.</summary>
    public Task<IReadOnlyList<string>> UntilIdleAsync(CancellationToken cancellationToken) => UntilAllAsync(watcher => watcher.IsIdle, cancellationToken);

    /// <summary>One long poll: ends when the version is another than the watcher knows, or after <paramref name="wait"/>.</summary>
    /// <param name="name">Names the watcher; null for somebody who only looks.</param>
    /// <param name="known">The version that it has taken in; null when it has none of this node.</param>
    /// <param name="isIdle">Whether it says that nothing of it is under way.</param>
    /// <param name="wait">How long it is willing to wait.</param>
    /// <param name="gone">Fires when it has hung up.</param>
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
                Renew(ref _heard);
            }

            changed = known == _version && !_closed ? _changed.Task : Task.CompletedTask;
        }

        try
        {
            await changed.WaitAsync(wait, _clock, gone).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Nothing has changed: it is told so, and asks again.
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // It has hung up without another poll: there is nobody to wait for.
            lock (_lock)
            {
                if (name is not null && _all.TryGetValue(name, out var last) && ReferenceEquals(last, poll))
                {
                    _all.Remove(name);
                    Renew(ref _heard);
                }
            }

            throw;
        }
    }

    /// <summary>Answers all who wait, and makes nobody wait any more.</summary>
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
        using var patience = new CancellationTokenSource(s_patience, _clock);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        while (true)
        {
            string[] missing;
            Task heard;
            lock (_lock)
            {
                missing = [.. _all.Where(w => !satisfies(w.Value)).Select(w => w.Key)];
                heard = _heard.Task;
            }

            if (missing.Length == 0)
            {
                return missing;
            }

            try
            {
                await heard.WaitAsync(limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (patience.IsCancellationRequested)
            {
                // They do not count any more until they ask again.
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

    // One for whom there is no place is answered as any other, and not waited for.
    private bool HasPlaceNeedsLock(string name)
    {
        if (_all.Count < MostWatchers || _all.ContainsKey(name))
        {
            return true;
        }

        foreach (var stale in _all.Where(w => _clock.GetElapsedTime(w.Value.Asked) > s_stale).Select(w => w.Key).ToArray())
        {
            _all.Remove(stale);
        }

        return _all.Count < MostWatchers;
    }

    // Continuations run elsewhere, so completing under the lock calls nobody.
    private static void Renew(ref TaskCompletionSource signal)
    {
        signal.TrySetResult();
        signal = NewSignal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Watcher(long Heard, bool IsIdle, long Asked);
}
