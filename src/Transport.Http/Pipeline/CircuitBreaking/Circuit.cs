namespace ServiceMesh.Http;

/// <summary>
/// One period of a breaker in one state. The state of the object never changes: a change of the breaker puts another object in its
/// place, and a call that holds the old object reports too late. Times are timestamps of the breaker's clock.
/// </summary>
/// <param name="change">The change that began the period.</param>
internal abstract class Circuit(CircuitChange change)
{
    private Circuit? _next;
    private bool _triesEarly;

    public CircuitChange Change => change;

    /// <summary>
    /// Whether, at some time of this period, the callers had nothing better than this endpoint. Never becomes false again.
    /// </summary>
    public bool TriesEarly
    {
        get => Volatile.Read(ref _triesEarly);
        set => Volatile.Write(ref _triesEarly, value);
    }

    /// <summary>
    /// The period that followed. Set after the swap, and cleared when observers were notified, so that old periods keep no chain alive.
    /// </summary>
    public Circuit? Next
    {
        get => Volatile.Read(ref _next);
        set => Volatile.Write(ref _next, value);
    }
}

/// <summary>
/// All calls are admitted. The window begins empty and ends with the period, so no older or later outcome is counted in it.
/// </summary>
internal sealed class ClosedCircuit(CircuitChange change, OutcomeWindow window) : Circuit(change)
{
    public OutcomeWindow Window => window;
}

/// <summary>No call is admitted.</summary>
/// <param name="change">The change that began the period.</param>
/// <param name="began">When it began, as a timestamp.</param>
/// <param name="until">When the first trial may come; <see cref="long.MaxValue"/> for never.</param>
/// <param name="window">The duration before jitter was subtracted; zero if the circuit was opened by hand.</param>
/// <param name="outage">The outage that the period belongs to; failed trials do not begin a new one.</param>
internal sealed class OpenCircuit(CircuitChange change, long began, long until, TimeSpan window, Outage outage) : Circuit(change)
{
    public long Began => began;

    public long Until => until;

    public TimeSpan Window => window;

    public Outage Outage => outage;

    public bool IsByHand => Change.Cause == CircuitCause.ByHand;
}

/// <summary>The time from the opening of a circuit until it closes.</summary>
/// <param name="Since">When the circuit opened.</param>
/// <param name="Why">The cause, for messages.</param>
/// <param name="FailedTrials">The number of trials that failed during the outage.</param>
internal sealed record Outage(DateTimeOffset Since, string Why, int FailedTrials = 0);

/// <summary>Trials are admitted. All trials of one half-open period hold this object, and the first that is answered ends it.</summary>
/// <param name="change">The change that began the period.</param>
/// <param name="open">The open period before it.</param>
/// <param name="nextTrial">When the next trial may come.</param>
internal sealed class HalfOpenCircuit(CircuitChange change, OpenCircuit open, long nextTrial) : Circuit(change)
{
    private long _nextTrial = nextTrial;

    public OpenCircuit Open => open;

    public long NextTrial => Volatile.Read(ref _nextTrial);

    /// <summary>One of the calls that come after the time is the next trial, and sets the time of the trial after it.</summary>
    public bool TryTakeTrial(CoarseClock clock, long interval)
    {
        // The clock is read after the time that it is compared with, so a test can hold all threads where only the swap decides.
        var seen = NextTrial;
        var now = clock.Now;
        return now >= seen && Interlocked.CompareExchange(ref _nextTrial, now + interval, seen) == seen;
    }
}
