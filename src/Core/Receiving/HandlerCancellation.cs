namespace ServiceMesh;

/// <summary>
/// The token of one handled message: fires when the caller is gone, when the node stops waiting, or when time is up,
/// and remembers which it was. Thread-safe.
/// </summary>
internal sealed class HandlerCancellation : IDisposable
{
    public enum Cause
    {
        /// <summary>The handler's own timeout passed.</summary>
        HandlerTimeout,

        /// <summary>The caller's deadline passed.</summary>
        Deadline,

        /// <summary>The caller said that it has stopped waiting.</summary>
        CallerGone,

        /// <summary>The node shuts down and has waited long enough.</summary>
        Stopping,
    }

    // The timers of .NET count to 2^32 milliseconds. A foreign deadline beyond that is kept by no timer.
    private static readonly TimeSpan s_longestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly CancellationTokenSource _source;
    private readonly CancellationTokenRegistration _onCallerGone;
    private readonly CancellationTokenRegistration _onStopping;
    private volatile Cause _cause;

    /// <param name="limit">How long until time is up; <see cref="TimeSpan.MaxValue"/> for never.</param>
    /// <param name="whenTimeIsUp">What it means when it is.</param>
    /// <param name="clock">Measures the limit.</param>
    /// <param name="callerGone">Fires when the caller has stopped waiting.</param>
    /// <param name="stopping">Fires when the node has waited long enough.</param>
    public HandlerCancellation(
        TimeSpan limit, Cause whenTimeIsUp, TimeProvider clock, CancellationToken callerGone, CancellationToken stopping)
    {
        _cause = whenTimeIsUp;
        _source = new(ForTimer(limit), clock);
        Token = _source.Token;

        // A token that has fired already calls back right here. That runs no user code: our token is not known outside yet.
        _onCallerGone = callerGone.UnsafeRegister(static self => ((HandlerCancellation)self!).Cancel(Cause.CallerGone), this);
        _onStopping = stopping.UnsafeRegister(static self => ((HandlerCancellation)self!).Cancel(Cause.Stopping), this);
    }

    private HandlerCancellation()
    {
        _source = new();
        _source.Cancel();
        Token = _source.Token;
    }

    /// <summary>Stands for the token of a handler that has ended: it has fired.</summary>
    public static HandlerCancellation Ended { get; } = new();

    public CancellationToken Token { get; }

    /// <summary>Why the token fired; before that, what it would mean if time were up.</summary>
    public Cause Reason => _cause;

    /// <summary>Counts the time anew from now on. Has no effect once the token has fired.</summary>
    public void Restart(TimeSpan limit, Cause whenTimeIsUp)
    {
        if (!_source.IsCancellationRequested)
        {
            _cause = whenTimeIsUp;
            _source.CancelAfter(ForTimer(limit));
        }
    }

    public void Dispose()
    {
        // Unregister does not wait for a callback that is running: that may be the one that brought us here.
        _onCallerGone.Unregister();
        _onStopping.Unregister();
        _source.Dispose();
    }

    private static TimeSpan ForTimer(TimeSpan limit) =>
        limit > s_longestTimer ? Timeout.InfiniteTimeSpan : limit > TimeSpan.Zero ? limit : TimeSpan.Zero;

    private void Cancel(Cause cause)
    {
        // If two causes race, either may be reported. A cause that comes after the token has fired is not.
        if (_source.IsCancellationRequested)
        {
            return;
        }

        _cause = cause;
        try
        {
            // Marks the token at once and calls back on the pool: the thread that cancels must not run the handler's code.
            _ = _source.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The handler ended at this very moment; there is nothing left to cancel.
        }
    }
}
