namespace ServiceMesh.Http;

/// <summary>
/// One stay of a breaker in one state. What it is never changes; a change of the breaker is another object in its place,
/// and who holds an old one is too late. Times are timestamps of the breaker's clock.
/// </summary>
/// <param name="change">How it came about.</param>
internal abstract class Circuit(CircuitChange change)
{
    private Circuit? _next;
    private bool _triesEarly;

    public CircuitChange Change => change;

    /// <summary>Whether there was nothing better than what is behind it at some time of this stay. It only ever becomes true.</summary>
    public bool TriesEarly
    {
        get => Volatile.Read(ref _triesEarly);
        set => Volatile.Write(ref _triesEarly, value);
    }

    /// <summary>What took its place. Set after the swap and cleared when that has been told, so that old ones hold no chain alive.</summary>
    public Circuit? Next
    {
        get => Volatile.Read(ref _next);
        set => Volatile.Write(ref _next, value);
    }
}

/// <summary>Everything goes through. Its window starts empty and ends with it, so nothing older or later is counted in it.</summary>
internal sealed class ClosedCircuit(CircuitChange change, OutcomeWindow window) : Circuit(change)
{
    public OutcomeWindow Window => window;
}

/// <summary>Nothing goes through.</summary>
/// <param name="change">How it came about.</param>
/// <param name="began">When, as a timestamp.</param>
/// <param name="until">When the first trial may come; <see cref="long.MaxValue"/> for never.</param>
/// <param name="window">How long it is open before chance took something off; zero when opened by hand.</param>
/// <param name="outage">What it began with; trials that fail do not change it.</param>
internal sealed class OpenCircuit(CircuitChange change, long began, long until, TimeSpan window, Outage outage) : Circuit(change)
{
    public long Began => began;

    public long Until => until;

    public TimeSpan Window => window;

    public Outage Outage => outage;

    public bool IsByHand => Change.Cause == CircuitCause.ByHand;
}

/// <summary>From when a circuit opened until it is closed again.</summary>
/// <param name="Since">When it began.</param>
/// <param name="Why">For people: why it opened.</param>
/// <param name="FailedTrials">How many trials have failed in it.</param>
internal sealed record Outage(DateTimeOffset Since, string Why, int FailedTrials = 0);

/// <summary>Trials go through. All trials of one half-open circuit hold this object, and the first that answers ends it.</summary>
/// <param name="change">How it came about.</param>
/// <param name="open">What was tried.</param>
/// <param name="nextTrial">When the next trial may come.</param>
internal sealed class HalfOpenCircuit(CircuitChange change, OpenCircuit open, long nextTrial) : Circuit(change)
{
    private long _nextTrial = nextTrial;

    public OpenCircuit Open => open;

    public long NextTrial => Volatile.Read(ref _nextTrial);

    /// <summary>One of those who come after the time is the next trial, and sets the time of the one after it.</summary>
    public bool TryTakeTrial(CoarseClock clock, long interval)
    {
        // The time is read after what it is compared with: so a test can hold all threads where only the swap tells them apart.
        var seen = NextTrial;
        var now = clock.Now;
        return now >= seen && Interlocked.CompareExchange(ref _nextTrial, now + interval, seen) == seen;
    }
}
