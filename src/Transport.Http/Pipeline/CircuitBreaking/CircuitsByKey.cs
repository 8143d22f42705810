using System.Collections.Concurrent;

namespace ServiceMesh.Http;

/// <summary>A breaker for each key, for so many keys. Thread-safe; a key that is there is found without waiting.</summary>
/// <param name="most">How many keys at most.</param>
/// <param name="make">Makes the breaker of a key.</param>
/// <param name="clock">The clock.</param>
internal sealed class CircuitsByKey(int most, Func<string, CircuitBreaker> make, TimeProvider clock)
{
    /// <summary>The name of the breaker that keys share when there are too many.</summary>
    public const string Others = "(other keys)";

    // Looking for idle ones goes through all of them, so not at every call.
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

            if (_breakers.Count >= most)
            {
                SweepNeedsLock();
            }

            return _breakers.Count < most ? _breakers[key] = make(key) : _others ??= make(Others);
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
            // A call that is under way there reports to a breaker that nobody asks any more: one outcome, of an idle key.
            if (breaker.IsIdle)
            {
                _breakers.TryRemove(key, out _);
            }
        }
    }
}
