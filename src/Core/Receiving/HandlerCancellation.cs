namespace ServiceMesh;

/// <summary>
/// The token of one handled message: fires when the caller is gone, when the node stops waiting, or when time is up,
/// and remembers which it was.
/// </summary>
internal sealed class HandlerCancellation : IDisposable
{
    public enum Cause
    {
        /// <summary>The handler's own timeout passed.</summary>
        HandlerTimeout,

        /// <summary>The caller's deadline passed.</summary>
        Deadline,

        /// <summary>The caller said that it waits no more.</summary>
        CallerGone,

        /// <summary>The node shuts down and has waited long enough.</summary>
        Stopping,
    }

    // The timers of .NET count to 2^32 milliseconds; a foreign deadline beyond that is none that a timer could keep.
    private static readonly TimeSpan s_longestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly CancellationTokenSource _source;
    private readonly CancellationTokenRegistration _onCallerGone;
    private readonly CancellationTokenRegistration _onStopping;
    private volatile Cause _cause;

    /// <param name="limit">How long until time is up; <see cref="TimeSpan.MaxValue"/> for never.</param>
    /// <param name="whenTimeIsUp">What it means when it is.</param>
    /// <param name="clock">Measures the limit.</param>
    /// <param name="callerGone">Fires when the caller waits no more.</param>
    /// <param name="stopping">Fires when the node has waited long enough.</param>
    public HandlerCancellation(TimeSpan limit, Cause whenTimeIsUp, TimeProvider clock, CancellationToken callerGone, CancellationToken stopping)
    {
        _cause = whenTimeIsUp;
        _source = limit > s_longestTimer ? new() : new(limit > TimeSpan.Zero ? limit : TimeSpan.Zero, clock);
        Token = _source.Token;

        // A token that has fired already calls back right here. That runs no user code: nobody has our token yet.
        _onCallerGone = callerGone.UnsafeRegister(static self => ((HandlerCancellation)self!).Cancel(Cause.CallerGone), this);
        _onStopping = stopping.UnsafeRegister(static self => ((HandlerCancellation)self!).Cancel(Cause.Stopping), this);
    }

    public CancellationToken Token { get; }

    /// <summary>Why the token fired; before that, what it would mean if time were up.</summary>
    public Cause Reason => _cause;

    public void Dispose()
    {
        // Unregister does not wait for a callback that is running: that may be the one that brought us here.
        _onCallerGone.Unregister();
        _onStopping.Unregister();
        _source.Dispose();
    }

    private void Cancel(Cause cause)
    {
        // Of two that come at once either may be named; of one that comes after the fact none.
        if (_source.IsCancellationRequested)
        {
            return;
        }

        _cause = cause;
        try
        {
            // Marks the token at once and calls back on the pool: whoever cancels must not run the handler's code.
            _ = _source.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The handler ended at this very moment; there is nothing left to cancel.
        }
    }
}
