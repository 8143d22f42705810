using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// Fails calls fast while nearly all of them would fail: it counts outcomes, opens, and tries again with single trials. Each endpoint of
/// a service has one, and a breaker can also be used alone. Thread-safe; it takes no lock, and while it is closed it allocates nothing.
/// </summary>
/// <remarks>
/// Ask <see cref="TryEnter"/> before a call and <see cref="Report"/> its outcome afterwards. A call that ends without an outcome, because
/// its caller cancelled it, reports nothing: it counts as neither success nor failure, and no other call waits for it. A closed breaker
/// opens when the failure rate within the window is too high. An open breaker admits a trial when its window has passed, and then one
/// in each <see cref="CircuitBreakerOptions.TrialRequestInterval"/> until a trial is answered. After Nygard, "Release It!", and
/// Armeria's circuit breaker.
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Resilience.cs" region="bare" />
/// </example>
public sealed class CircuitBreaker
{
    private readonly CircuitRules _rules;
    private readonly CoarseClock _clock;
    private readonly OrderedNotifier _notifier;
    private readonly ulong _seed;
    private Circuit _circuit;
    private Circuit _notified; // belongs to the thread that notifies
    private int _opened;
    private volatile bool _triesEarly;

    /// <summary>Creates a breaker whose circuit is closed.</summary>
    /// <param name="name">The name of the protected resource, for messages.</param>
    /// <param name="settings">Read once. Default: all defaults.</param>
    /// <param name="clock">The clock. Default: the system's.</param>
    /// <param name="seed">The seed of the jitter of open windows; set it to make them repeatable. Default: a random seed.</param>
    /// <exception cref="ArgumentException">A setting is not valid; the message names it.</exception>
    public CircuitBreaker(string name, CircuitBreakerOptions? settings = null, TimeProvider? clock = null, int? seed = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        Name = name;
        _clock = new(clock ?? TimeProvider.System);
        _rules = new(settings ?? new(), _clock);
        _seed = (ulong)(seed ?? Random.Shared.NextInt64());
        _circuit = _notified = MakeClosed(new(CircuitState.Closed, CircuitState.Closed, CircuitCause.ByHand, _clock.UtcNow, null), Now);
        _notifier = new(NotifyAll);
    }

    /// <summary>
    /// Raised for each change, in order and one at a time, outside any lock: on the thread of the call that caused the change, or of a call
    /// that caused another change at the same time. An exception of a handler is reported as an unobserved task exception.
    /// </summary>
    public event EventHandler<CircuitChange>? Changed;

    /// <summary>The name of the protected resource.</summary>
    public string Name { get; }

    /// <summary>
    /// The state. An open circuit stays open until a call comes after <see cref="OpenUntil"/>; that call is the trial.
    /// </summary>
    public CircuitState State => Current.Change.To;

    /// <summary>
    /// When the breaker admits the next trial, by its clock. It may be in the past. Null while the circuit is closed;
    /// <see cref="DateTimeOffset.MaxValue"/> if it is open until it is closed by hand.
    /// </summary>
    public DateTimeOffset? OpenUntil => TrialAt(Current) switch
    {
        null => null,
        long.MaxValue => DateTimeOffset.MaxValue,
        { } at => _clock.UtcNow + _clock.Between(Now, at),
    };

    /// <summary>Whether <see cref="TryEnter"/> would admit a call now. Changes nothing and is cheap, for balancers.</summary>
    public bool WouldAdmit => Current is ClosedCircuit || IsTrialDue;

    /// <summary>Whether the circuit is not closed and would admit a trial now. Changes nothing, for balancers.</summary>
    public bool IsTrialDue => TrialAt(Current) is { } at && Now >= at;

    /// <summary>
    /// Whether the circuit is not closed and its trial has been due for less than one interval. Until then the trial is left to calls that
    /// have other attempts left. After that any call is the trial; otherwise an endpoint that only receives calls with one attempt would
    /// never return.
    /// </summary>
    internal bool SparesLastAttempts => TrialAt(Current) is { } at && Now - at < _rules.TrialInterval;

    /// <summary>
    /// A pass for the second outcome of a call that has already reported one, as when a stream breaks off after its headers: it counts in
    /// the circuit that is closed now. Null if the circuit is not closed.
    /// </summary>
    internal CircuitPass? PassWhileClosed => Current is ClosedCircuit closed ? new(closed) : null;

    /// <summary>
    /// True while the callers have nothing better than this endpoint. Then an open circuit admits trials after one
    /// <see cref="CircuitBreakerOptions.TrialRequestInterval"/>, however long its window is, and a failed trial does not lengthen the
    /// window, because all endpoints fail. That does not apply to a circuit that was opened by hand. A circuit that stayed open keeps one
    /// more early trial after other endpoints have returned; otherwise the last endpoints of a recovered service would stay out.
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

    /// <summary>Asks to make a call. If the result is false, do not make it; <see cref="Refusal"/> says why.</summary>
    /// <param name="pass">The pass to <see cref="Report"/> the outcome with.</param>
    public bool TryEnter(out CircuitPass pass)
    {
        var circuit = Current;
        pass = new(circuit);
        return circuit is ClosedCircuit || TryEnterForTrial(circuit, out pass);
    }

    /// <summary>
    /// Reports the outcome of a call, at most once for each pass. It counts only while the state that admitted the call lasts: a success
    /// of a call from before the circuit opened does not close it, and a failure of such a call does not open it again.
    /// </summary>
    /// <param name="pass">The pass from <see cref="TryEnter"/> of this breaker.</param>
    /// <param name="failed">Whether the protected resource failed.</param>
    /// <exception cref="ArgumentException">The pass is the default value.</exception>
    public void Report(CircuitPass pass, bool failed)
    {
        switch (pass.Circuit)
        {
            case ClosedCircuit closed:
                var now = Now;
                if (closed.Window.Count(failed, now, out var within) && _rules.ShouldOpen(within))
                {
                    TrySwap(closed, MakeOpen(closed, CircuitCause.FailureRate, _rules.FirstWindow, now, Begin(within), _triesEarly));
                }

                break;

            case HalfOpenCircuit { Open: var open } halfOpen when failed:
                var outage = open.Outage with { FailedTrials = open.Outage.FailedTrials + 1 };
                var early = _triesEarly || halfOpen.TriesEarly;
                var window = _rules.NextWindow(open.Window, grows: !early);
                TrySwap(halfOpen, MakeOpen(halfOpen, CircuitCause.TrialFailed, window, Now, outage, early));
                break;

            case HalfOpenCircuit halfOpen:
                TrySwap(halfOpen, MakeClosed(Change(halfOpen, CircuitState.Closed, CircuitCause.TrialSucceeded, null), Now));
                break;

            default:
                throw new ArgumentException("The pass is empty. Report with the pass that TryEnter returned.", nameof(pass));
        }
    }

    /// <summary>Opens the circuit by hand.</summary>
    /// <param name="duration">
    /// How long no call is admitted; trials follow, as after any open window. Default: until <see cref="Close"/>.
    /// </param>
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
            var change = Change(circuit, CircuitState.Open, CircuitCause.ByHand, duration);
            next = new(change, now, until, TimeSpan.Zero, new(_clock.UtcNow, "it was opened by hand"));
        }
        while (!TrySwap(circuit, next));
    }

    /// <summary>Closes the circuit by hand, with an empty window. Does nothing if it is closed.</summary>
    public void Close()
    {
        Circuit circuit;
        do
        {
            circuit = Current;
        }
        while (circuit is not ClosedCircuit
            && !TrySwap(circuit, MakeClosed(Change(circuit, CircuitState.Closed, CircuitCause.ByHand, null), Now)));
    }

    /// <summary>Why a call is not admitted: which circuit, since when and until when. The exception is created, not thrown.</summary>
    public CircuitOpenException Refusal()
    {
        var circuit = Current;
        var open = (circuit as HalfOpenCircuit)?.Open ?? circuit as OpenCircuit;
        TimeSpan? left = TrialAt(circuit) is { } at && at != long.MaxValue ? _clock.Between(Now, at) : null;
        return CircuitOpenException.Of(Name, open?.Outage, left < TimeSpan.Zero ? TimeSpan.Zero : left);
    }

    /// <summary>
    /// Something else has shown that the outage is over: a circuit that is open now admits its next trial after one
    /// <see cref="CircuitBreakerOptions.TrialRequestInterval"/>, however long its window is. Does not apply to one that was opened by hand.
    /// </summary>
    internal void TryEarly()
    {
        if (Current is not ClosedCircuit and var circuit)
        {
            circuit.TriesEarly = true;
        }
    }

    /// <summary>The name and the state.</summary>
    public override string ToString() => $"{Name} ({State})";

    /// <summary>Whether the breaker holds no information: the circuit is closed, and no call was counted within the window.</summary>
    internal bool IsIdle => Current is ClosedCircuit closed && closed.Window.TryRead(Now, out var within) && within.Total == 0;

    // A loop, because another thread may change the circuit between the look and the swap; each round means such a change.
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
                    var admitted = Change(open, CircuitState.HalfOpen, CircuitCause.TrialAdmitted, null);
                    var halfOpen = new HalfOpenCircuit(admitted, open, now + _rules.TrialInterval) { TriesEarly = _triesEarly };
                    if (TrySwap(open, halfOpen))
                    {
                        pass = new(halfOpen);
                        return true;
                    }

                    break;

                case HalfOpenCircuit trying when trying.TryTakeTrial(_clock, _rules.TrialInterval):
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
        OpenCircuit { IsByHand: false } open when _triesEarly || open.TriesEarly =>
            Math.Min(open.Until, open.Began + _rules.TrialInterval),
        OpenCircuit open => open.Until,
        HalfOpenCircuit halfOpen => halfOpen.NextTrial,
        _ => null,
    };

    private Outage Begin(Outcomes within)
    {
        var time = _rules.CountedTime.TotalSeconds;
        return new(
            _clock.UtcNow,
            string.Create(CultureInfo.InvariantCulture, $"{within.Failures} of {within.Total} calls failed within {time:0.###} s"));
    }

    private ClosedCircuit MakeClosed(CircuitChange change, long now) => new(change, _rules.MakeWindow(now));

    private OpenCircuit MakeOpen(Circuit from, CircuitCause cause, TimeSpan window, long now, Outage outage, bool early)
    {
        var length = CircuitRules.SubtractJitter(window, _seed + (uint)Interlocked.Increment(ref _opened));
        return new(Change(from, CircuitState.Open, cause, length), now, now + _clock.Stamps(length), window, outage) { TriesEarly = early };
    }

    private CircuitChange Change(Circuit from, CircuitState to, CircuitCause cause, TimeSpan? openFor) =>
        new(from.Change.To, to, cause, _clock.UtcNow, openFor);

    private bool TrySwap(Circuit from, Circuit to)
    {
        if (Interlocked.CompareExchange(ref _circuit, to, from) != from)
        {
            return false;
        }

        // Observers can be notified only now. A thread that swapped the next period meanwhile leaves the notification to this thread.
        from.Next = to;
        _notifier.Notify();
        return true;
    }

    private void NotifyAll()
    {
        while (_notified.Next is { } next)
        {
            _notified.Next = null;
            _notified = next;
            OrderedNotifier.Raise(Changed, this, next.Change);
        }
    }
}
