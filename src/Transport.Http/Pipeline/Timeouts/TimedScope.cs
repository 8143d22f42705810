namespace ServiceMesh.Http;

/// <summary>
/// The token of one request or attempt: it fires when the caller's token does, when its time is over, or when the client stops. A scope
/// that has not fired when it ends serves again.
/// </summary>
internal sealed class TimedScope : CancellationTokenSource
{
    // One for each thread is enough: a caller that sends again goes on where its request before ended.
    [ThreadStatic]
    private static TimedScope? t_free;

    private TimerLane _lane = null!;
    private CancellationTokenRegistration _link;
    private ITimer? _timer;
    private volatile bool _hasTimedOut;

    private TimedScope()
    {
    }

    /// <summary>Whether its time was over before anything else ended it.</summary>
    public bool HasTimedOut => _hasTimedOut;

    // The place in the lane, which these fields belong to.

    public long Began { get; set; }

    public TimedScope? Previous { get; set; }

    public TimedScope? Next { get; set; }

    public bool IsListed { get; set; }

    public static TimedScope Rent(TimerLane lane)
    {
        var scope = t_free ?? new();
        t_free = null;
        scope._lane = lane;
        return scope;
    }

    public void Begin(CancellationToken caller)
    {
        _lane.Add(this);
        _link = caller.UnsafeRegister(static scope => ((TimedScope)scope!).Cancel(), this);
    }

    /// <summary>Sets a timer of its own, for a limit that has no lane.</summary>
    public void SetTimer(TimeProvider clock, TimeSpan limit) => _timer = CleanContext.Call(() =>
        clock.CreateTimer(static scope => ((TimedScope)scope!).TimeOut(), this, limit, Timeout.InfiniteTimeSpan));

    /// <summary>Its time is over.</summary>
    public void TimeOut()
    {
        _hasTimedOut = true;
        Cancel();
    }

    /// <summary>What the scope was for has ended.</summary>
    /// <param name="isReleased">Whether nothing looks at the token from now on.</param>
    public void End(bool isReleased)
    {
        // Waits for a caller that is just cancelling. A scope that its lane or its own timer may still cancel is left to the garbage
        // collector.
        _link.Dispose();
        _timer?.Dispose();
        if (_lane.Remove(this) && isReleased && _timer is null && TryReset())
        {
            _link = default;
            t_free = this;
        }
    }
}
