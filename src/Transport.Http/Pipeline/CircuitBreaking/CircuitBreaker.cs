using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// Fails calls fast while nearly all of them would fail: it counts outcomes, opens, and tries again with single trials.
/// It hangs on an endpoint or stands alone. Thread-safe; no lock is taken and, while it is closed, nothing allocated.
/// </summary>
/// <remarks>
/// Ask <see cref="TryEnter"/> before a call and <see cref="Report"/> its outcome after. A call that ends without an outcome
/// (its caller cancelled) reports nothing: that speaks neither for nor against, and nobody waits for it. Closed, it opens when
/// the outcomes within the window say so. Open, it admits a trial when its window has passed, and then one in each
/// <see cref="CircuitBreakerOptions.TrialRequestInterval"/> until one answers. After Nygard, "Release It!", and Armeria's circuit breaker.
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Resilience.cs" region="bare" />
/// </example>
public sealed class CircuitBreaker
{
    private readonly CircuitTerms _terms;
    private readonly CoarseClock _clock;
    private readonly Teller _teller;
    private readonly ulong _seed;
    private Circuit _circuit;
    private Circuit _told; // belongs to who tells
    private int _opened;
    private volatile bool _triesEarly;

    /// <summary>Makes a breaker whose circuit is closed.</summary>
    /// <param name="name">What is behind it, for messages.</param>
    /// <param name="settings">Read once. Default: all defaults.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <param name="seed">Decides what chance takes off the open windows; give one to have them repeat. Default: another for each breaker.</param>
    /// <exception cref="ArgumentException">The settings cannot work; the message says why.</exception>
    public CircuitBreaker(string name, CircuitBreakerOptions? settings = null, TimeProvider? clock = null, int? seed = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        Name = name;
        _clock = new(clock ?? TimeProvider.System);
        _terms = new(settings ?? new(), _clock);
        _seed = (ulong)(seed ?? Random.Shared.NextInt64());
        _circuit = _told = MakeClosed(new(CircuitState.Closed, CircuitState.Closed, CircuitCause.ByHand, _clock.UtcNow, null), Now);
        _teller = new(TellChanges);
    }

    /// <summary>
    /// Raised for each change, in their order and one at a time, outside of any lock: on the thread of the call that caused it,
    /// or of one that caused another at the same time. What a handler throws is reported as an unobserved task exception.
    /// </summary>
    public event EventHandler<CircuitChange>? Changed;

    /// <summary>What is behind it.</summary>
    public string Name { get; }

    /// <summary>What it does with calls. Open stays open until a call comes after <see cref="OpenUntil"/>, which is then the trial.</summary>
    public CircuitState State => Current.Change.To;

    /// <summary>
    /// When it admits the next trial, by its clock; null when it is closed, and <see cref="DateTimeOffset.MaxValue"/> when it
    /// is open until it is closed by hand. It may have passed.
    /// </summary>
    public DateTimeOffset? OpenUntil => TrialAt(Current) switch
    {
        null => null,
        long.MaxValue => DateTimeOffset.MaxValue,
        { } at => _clock.UtcNow + _clock.Between(Now, at),
    };

    /// <summary>Whether <see cref="TryEnter"/> would admit a call now. Changes nothing and costs nearly nothing: for balancers.</summary>
    public bool WouldAdmit => Current is ClosedCircuit || IsTrialDue;

    /// <summary>Whether it is not closed, and would admit a trial now. Changes nothing: for balancers.</summary>
    public bool IsTrialDue => TrialAt(Current) is { } at && Now >= at;

    /// <summary>
    /// Whether it is not closed and its trial has not been due for a whole interval yet: until then it is left to calls that
    /// can afford to fail. After it any call is the trial, or what is called only by those who cannot would never be back.
    /// </summary>
    internal bool SparesLastAttempts => TrialAt(Current) is { } at && Now - at < _terms.TrialInterval;

    /// <summary>
    /// For a second outcome of a call that has had its first, as when a stream breaks off: counts while the circuit is closed
    /// that is closed now. Null when none is.
    /// </summary>
    internal CircuitPass? PassWhileClosed => Current is ClosedCircuit closed ? new(closed) : null;

    /// <summary>
    /// True while there is nothing better than what is behind it: then an opened circuit admits trials from one
    /// <see cref="CircuitBreakerOptions.TrialRequestInterval"/> on, however long its window is, and a trial that fails does
    /// not make it longer, since all fail. Not when opened by hand. A circuit that was not closed meanwhile has one more early trial
    /// when others come back first, or the last ones would be left out of a service that is well again.
    /// </summary>
    internal bool TriesEarly
    {
        get => _triesEarly;
        set
        {
            _triesEarly = value;
            if (value)
            {
                Current.TriesEarly = true;
            }
        }
    }

    private Circuit Current => Volatile.Read(ref _circuit);

    private long Now => _clock.Now;

    /// <summary>Asks to make a call. When this is false, do not make it: <see cref="Refusal"/> says why.</summary>
    /// <param name="pass">What to <see cref="Report"/> the outcome with.</param>
    public bool TryEnter(out CircuitPass pass)
    {
        var circuit = Current;
        pass = new(circuit);
        return circuit is ClosedCircuit || TryEnterForTrial(circuit, out pass);
    }

    /// <summary>
    /// Reports the outcome of a call, once for each pass at most. It counts if the state that admitted the call still is: a
    /// success that began before the circuit opened does not close it, and a failure from then does not open it again.
    /// </summary>
    /// <param name="pass">What this breaker's <see cref="TryEnter"/> gave.</param>
    /// <param name="failed">Whether what is behind the breaker failed.</param>
    /// <exception cref="ArgumentException">No breaker gave the pass.</exception>
    public void Report(CircuitPass pass, bool failed)
    {
        switch (pass.Circuit)
        {
            case ClosedCircuit closed:
                var now = Now;
                if (closed.Window.Count(failed, now, out var within) && _terms.SayOpen(within))
                {
                    var why = string.Create(CultureInfo.InvariantCulture, $"{within.Failures} of {within.Total} calls failed within {_terms.CountedTime.TotalSeconds:0.###} s");
                    TrySwap(closed, MakeOpen(closed, CircuitCause.FailureRate, _terms.FirstWindow, now, new(_clock.UtcNow, why), _triesEarly));
                }

                break;

            case HalfOpenCircuit { Open: var open } halfOpen when failed:
                var outage = open.Outage with { FailedTrials = open.Outage.FailedTrials + 1 };
                var early = _triesEarly || halfOpen.TriesEarly;
                TrySwap(halfOpen, MakeOpen(halfOpen, CircuitCause.TrialFailed, _terms.NextWindow(open.Window, grows: !early), Now, outage, early));
                break;

            case HalfOpenCircuit halfOpen:
                TrySwap(halfOpen, MakeClosed(Change(halfOpen, CircuitState.Closed, CircuitCause.TrialSucceeded, null), Now));
                break;

            default:
                throw new ArgumentException("The pass is empty: report with the one that TryEnter gave.", nameof(pass));
        }
    }

    /// <summary>Opens it by hand.</summary>
    /// <param name="duration">How long it admits nothing; then trials, as after any open window. Default: until <see cref="Close"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The duration is not positive.</exception>
    public void Open(TimeSpan? duration = null)
    {
        if (duration is { } time)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(time, TimeSpan.Zero, nameof(duration));
        }

        Circuit circuit;
        OpenCircuit next;
        do
        {
            circuit = Current;
            var now = Now;
            var until = duration is { } length ? now + _clock.Stamps(length) : long.MaxValue;
            next = new(Change(circuit, CircuitState.Open, CircuitCause.ByHand, duration), now, until, TimeSpan.Zero, new(_clock.UtcNow, "it was opened by hand"));
        }
        while (!TrySwap(circuit, next));
    }

    /// <summary>Closes it by hand, with an empty window. Does nothing when it is closed.</summary>
    public void Close()
    {
        Circuit circuit;
        do
        {
            circuit = Current;
        }
        while (circuit is not ClosedCircuit && !TrySwap(circuit, MakeClosed(Change(circuit, CircuitState.Closed, CircuitCause.ByHand, null), Now)));
    }

    /// <summary>Why a call is not admitted: which circuit, since when and until when. Made, not thrown.</summary>
    public CircuitOpenException Refusal()
    {
        var circuit = Current;
        var open = (circuit as HalfOpenCircuit)?.Open ?? circuit as OpenCircuit;
        TimeSpan? left = TrialAt(circuit) is { } at && at != long.MaxValue ? _clock.Between(Now, at) : null;
        return CircuitOpenException.Of(Name, open?.Outage, left < TimeSpan.Zero ? TimeSpan.Zero : left);
    }

    /// <summary>The name and the state.</summary>
    public override string ToString() => $"{Name} ({State})";

    /// <summary>Whether forgetting it would lose nothing: it is closed, and nothing was counted within the window.</summary>
    internal bool IsIdle => Current is ClosedCircuit closed && closed.Window.TryRead(Now, out var within) && within.Total == 0;

    // A loop, because others may change the circuit between looking and swapping; each turn of it is a change by another.
    private bool TryEnterForTrial(Circuit circuit, out CircuitPass pass)
    {
        var now = Now;
        while (true)
        {
            switch (circuit)
            {
                case ClosedCircuit:
                    pass = new(circuit);
                    return true;

                case OpenCircuit open when now >= TrialAt(open):
                    var halfOpen = new HalfOpenCircuit(Change(open, CircuitState.HalfOpen, CircuitCause.TrialAdmitted, null), open, now + _terms.TrialInterval) { TriesEarly = _triesEarly };
                    if (TrySwap(open, halfOpen))
                    {
                        pass = new(halfOpen);
                        return true;
                    }

                    break;

                case HalfOpenCircuit trying when trying.TryTakeTrial(_clock, _terms.TrialInterval):
                    pass = new(trying);
                    return true;

                default:
                    pass = default;
                    return false;
            }

            circuit = Current;
        }
    }

    private long? TrialAt(Circuit circuit) => circuit switch
    {
        OpenCircuit { IsByHand: false } open when _triesEarly || open.TriesEarly => Math.Min(open.Until, open.Began + _terms.TrialInterval),
        OpenCircuit open => open.Until,
        HalfOpenCircuit halfOpen => halfOpen.NextTrial,
        _ => null,
    };

    private ClosedCircuit MakeClosed(CircuitChange change, long now) => new(change, _terms.MakeWindow(now));

    private OpenCircuit MakeOpen(Circuit from, CircuitCause cause, TimeSpan window, long now, Outage outage, bool early)
    {
        var length = CircuitTerms.TakeOff(window, _seed + (uint)Interlocked.Increment(ref _opened));
        return new(Change(from, CircuitState.Open, cause, length), now, now + _clock.Stamps(length), window, outage) { TriesEarly = early };
    }

    private CircuitChange Change(Circuit from, CircuitState to, CircuitCause cause, TimeSpan? openFor) => new(from.Change.To, to, cause, _clock.UtcNow, openFor);

    private bool TrySwap(Circuit from, Circuit to)
    {
        if (Interlocked.CompareExchange(ref _circuit, to, from) != from)
        {
            return false;
        }

        // Only now can it be told. Who swapped the next one meanwhile found no way to it, and leaves the telling to this thread.
        from.Next = to;
        _teller.Tell();
        return true;
    }

    private void TellChanges()
    {
        while (_told.Next is { } next)
        {
            _told.Next = null;
            _told = next;
            Teller.Raise(Changed, this, next.Change);
        }
    }
}
