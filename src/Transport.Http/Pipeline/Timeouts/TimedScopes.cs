namespace ServiceMesh.Http;

/// <summary>
/// Begins the scopes of a client's requests and attempts. Those with the same limit share a lane and its timer, so that none of them
/// creates a timer. Thread-safe.
/// </summary>
internal sealed class TimedScopes
{
    // A client has a few configured limits. If callers compute a new limit for each request, those have timers of their own.
    private const int MaxLanes = 16;

    private readonly TimeProvider _clock;
    private readonly CancellationToken _stopping;
    private readonly TimerLane _unlimited;
    private readonly Lock _adding = new();
    private TimerLane[] _lanes;

    /// <param name="clock">The clock.</param>
    /// <param name="stopping">Fires when the client stops, and ends every scope.</param>
    public TimedScopes(TimeProvider clock, CancellationToken stopping)
    {
        _clock = clock;
        _stopping = stopping;
        _unlimited = new(Timeout.InfiniteTimeSpan, clock);
        _lanes = [_unlimited];
        stopping.UnsafeRegister(static scopes => ((TimedScopes)scopes!).Stop(), this);
    }

    /// <summary>Begins a scope. The caller ends it once, after the last use of its token.</summary>
    /// <param name="limit">How long the request or attempt may take; infinite for no limit.</param>
    /// <param name="caller">Ends it too.</param>
    public TimedScope Begin(TimeSpan limit, CancellationToken caller)
    {
        var lane = LaneOf(limit);
        var scope = TimedScope.Rent(lane ?? _unlimited);
        scope.Begin(caller);
        if (lane is null)
        {
            scope.SetTimer(_clock, limit);
        }

        return scope;
    }

    private TimerLane? LaneOf(TimeSpan limit)
    {
        foreach (var lane in Volatile.Read(ref _lanes))
        {
            if (lane.Limit == limit)
            {
                return lane;
            }
        }

        lock (_adding)
        {
            var known = Array.Find(_lanes, l => l.Limit == limit);
            if (known is null && _lanes.Length < MaxLanes)
            {
                known = new(limit, _clock);
                Volatile.Write(ref _lanes, [.. _lanes, known]);
            }

            // A lane that is added while the client stops is not among those that Stop has seen, or Stop sees it.
            if (_stopping.IsCancellationRequested)
            {
                known?.Stop();
            }

            return known;
        }
    }

    private void Stop()
    {
        foreach (var lane in Volatile.Read(ref _lanes))
        {
            lane.Stop();
        }
    }
}
