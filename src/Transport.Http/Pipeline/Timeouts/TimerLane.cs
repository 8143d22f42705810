namespace ServiceMesh.Http;

/// <summary>
/// The scopes that have the same limit and have not ended. They stand in the order in which they began, which is the order in which their
/// time is over: one timer, set for the first, serves them all. After the ordered lists of Varghese and Lauck, "Hashed and Hierarchical
/// Timing Wheels" (1987). Thread-safe.
/// </summary>
internal sealed class TimerLane
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _clock;
    private readonly ITimer? _timer; // null without a limit
    private TimedScope? _first;
    private TimedScope? _last;
    private bool _isArmed; // the timer is set, or is being set
    private bool _isStopped;

    /// <param name="limit">How long a scope may last; infinite for no limit.</param>
    /// <param name="clock">The clock.</param>
    public TimerLane(TimeSpan limit, TimeProvider clock)
    {
        Limit = limit;
        _clock = clock;
        if (limit != Timeout.InfiniteTimeSpan)
        {
            // The timer outlives the call that needs it first, and must not keep the context of that call.
            _timer = CleanContext.Call(() => clock.CreateTimer(
                static lane => ((TimerLane)lane!).EndOverdue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
        }
    }

    public TimeSpan Limit { get; }

    public void Add(TimedScope scope)
    {
        bool arms, isStopped;
        lock (_lock)
        {
            scope.Began = _clock.GetTimestamp();
            scope.Previous = _last;
            _ = _last is null ? _first = scope : _last.Next = scope;
            _last = scope;
            scope.IsListed = true;
            arms = _timer is not null && !_isArmed;
            _isArmed |= arms;
            isStopped = _isStopped;
        }

        if (arms)
        {
            _timer!.Change(Limit, Timeout.InfiniteTimeSpan);
        }

        if (isStopped)
        {
            scope.Cancel();
        }
    }

    /// <summary>Removes a scope. False if the lane has removed it to cancel it, perhaps a moment from now.</summary>
    public bool Remove(TimedScope scope)
    {
        lock (_lock)
        {
            return RemoveNeedsLock(scope);
        }
    }

    /// <summary>Cancels all scopes, and each that begins from now on.</summary>
    public void Stop()
    {
        List<TimedScope> all = [];
        lock (_lock)
        {
            _isStopped = true;
            while (_first is { } scope)
            {
                RemoveNeedsLock(scope);
                all.Add(scope);
            }
        }

        foreach (var scope in all)
        {
            scope.Cancel();
        }
    }

    // The timer stays set when the first scope ends early: it fires once for nothing, and is set for the scope that is first then.
    private void EndOverdue()
    {
        List<TimedScope>? overdue = null;
        TimeSpan left;
        lock (_lock)
        {
            var now = _clock.GetTimestamp();
            left = Timeout.InfiniteTimeSpan;
            while (_first is { } scope && (left = Limit - _clock.GetElapsedTime(scope.Began, now)) <= TimeSpan.Zero)
            {
                RemoveNeedsLock(scope);
                (overdue ??= []).Add(scope);
            }

            _isArmed = _first is not null;
        }

        if (left > TimeSpan.Zero)
        {
            // Timers have whole milliseconds, and a timer that fires early would fire again at once.
            _timer!.Change(left < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : left, Timeout.InfiniteTimeSpan);
        }

        foreach (var scope in overdue ?? [])
        {
            scope.TimeOut();
        }
    }

    private bool RemoveNeedsLock(TimedScope scope)
    {
        if (!scope.IsListed)
        {
            return false;
        }

        _ = scope.Previous is null ? _first = scope.Next : scope.Previous.Next = scope.Next;
        _ = scope.Next is null ? _last = scope.Previous : scope.Next.Previous = scope.Previous;
        (scope.Previous, scope.Next, scope.IsListed) = (null, null, false);
        return true;
    }
}
