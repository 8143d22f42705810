using System.Collections.Concurrent;

namespace ServiceMesh.Http;

/// <summary>A breaker for each key, for a limited number of keys. Thread-safe; a known key is found without waiting.</summary>
/// <param name="max">The maximum number of keys.</param>
/// <param name="make">Creates the breaker of a key.</param>
/// <param name="clock">The clock.</param>
internal sealed class KeyedCircuitBreakers(int max, Func<string, CircuitBreaker> make, TimeProvider clock)
{
    /// <summary>The name of the breaker that keys share if there are too many.</summary>
    public const string Others = "(other keys)";

    // The search for idle breakers visits all of them, so it does not run with every call.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, CircuitBreaker> _breakers = new(StringComparer.Ordinal);
    private readonly Lock _making = new();
    private CircuitBreaker? _others;
    private long _sweptAt = long.MinValue;

    public CircuitBreaker Find(string key) => _breakers.TryGetValue(key, out var breaker) ? breaker : FindOrMake(key);

    private CircuitBreaker FindOrMake(string key)
    {
        lock (_making)
        {
            if (_breakers.TryGetValue(key, out var breaker))
            {
                return breaker;
            }

            if (_breakers.Count >= max)
            {
                SweepNeedsLock();
            }

            return _breakers.Count < max ? _breakers[key] = make(key) : _others ??= make(Others);
        }
    }

    private void SweepNeedsLock()
    {
        var now = clock.GetTimestamp();
        if (_sweptAt != long.MinValue && clock.GetElapsedTime(_sweptAt, now) < s_pause)
        {
            return;
        }

        _sweptAt = now;
        foreach (var (key, breaker) in _breakers)
        {
            // A call that is in flight with this key reports to a breaker that was removed: one lost outcome, of an idle key.
            if (breaker.IsIdle)
            {
                _breakers.TryRemove(key, out _);
            }
        }
    }
}
