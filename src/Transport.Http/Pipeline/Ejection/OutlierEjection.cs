using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// Ejects endpoints of a group that are worse than their peers, for a time that grows, and never too many of them. It belongs to the
/// addresses of a group, so all callers of the group share it. Thread-safe: picks and recordings read flags, and only a change of an
/// endpoint takes the lock. After the outlier detection of Envoy and the panic threshold of its load balancer.
/// </summary>
internal sealed class OutlierEjection : IEndpointGroup, IDisposable
{
    private const int Steps = 20;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly ConcurrentQueue<EjectionChange> _changes = new();
    private readonly OrderedNotifier _notifier;
    private readonly Dictionary<Endpoint, OutlierTracker> _trackers = [];
    private ImmutableArray<OutlierTracker> _all = [];
    private int _ejected;
    private bool _isDisposed;
    private volatile bool _panics;
    private volatile bool _hasOpenCircuits;

    /// <param name="settings">Not changed from now on.</param>
    /// <param name="clock">The clock.</param>
    /// <exception cref="ArgumentException">A setting is not valid; the message names it.</exception>
    public OutlierEjection(OutlierEjectionOptions settings, TimeProvider clock)
    {
        var problems = settings.Problems("Ejection").ToArray();
        if (problems.Length > 0)
        {
            throw new ArgumentException(string.Join(' ', problems), nameof(settings));
        }

        Settings = settings;
        _time = clock;
        Clock = new(clock);
        _notifier = new(NotifyAll);
    }

    /// <summary>Raised for each endpoint that is ejected or returns, in order and one at a time, outside the lock.</summary>
    public event EventHandler<EjectionChange>? Changed;

    /// <summary>Raised for each change of an endpoint's circuit, in the order of that endpoint. The endpoint is the sender.</summary>
    public event EventHandler<CircuitChange>? CircuitChanged;

    public OutlierEjectionOptions Settings { get; }

    public CoarseClock Clock { get; }

    /// <summary>
    /// True while less than <see cref="OutlierEjectionOptions.PanicThreshold"/> of the group can take requests: these endpoints are
    /// healthy, not ejected, and their circuits are closed. Draining endpoints are not counted at all.
    /// </summary>
    public bool Panics => _panics;

    public bool HasOpenCircuits => _hasOpenCircuits;

    /// <summary>The number of ejected endpoints.</summary>
    public int Ejected => Volatile.Read(ref _ejected);

    /// <summary>Replaces the endpoints. Those that stay keep their recorded outcomes; those that go leave the group.</summary>
    public void Update(ImmutableArray<Endpoint> endpoints)
    {
        lock (_lock)
        {
            foreach (var gone in _trackers.Values.Where(t => !endpoints.Contains(t.Endpoint)).ToArray())
            {
                _trackers.Remove(gone.Endpoint);
                _ejected -= gone.IsEjected ? 1 : 0;
                gone.Timer?.Dispose();
                var protection = EndpointProtection.Of(gone.Endpoint);
                protection.Tracker = null;
                protection.Breaker.TriesEarly = false;
            }

            foreach (var endpoint in endpoints)
            {
                if (!_trackers.ContainsKey(endpoint))
                {
                    _trackers[endpoint] = EndpointProtection.Of(endpoint).Tracker = new(endpoint, this, MakeWindow());
                }
            }

            _all = [.. _trackers.Values];
            var tooMany = Math.Max(0, _ejected - MaxEjectedNeedsLock);
            foreach (var returning in _all.Where(t => t.IsEjected).OrderBy(t => t.LeftAt).Take(tooMany).ToArray())
            {
                ReturnNeedsLock(returning, EjectionCause.GroupShrank);
            }

            RecountNeedsLock();
        }

        _notifier.Notify();
    }

    /// <summary>The circuit of an endpoint changed.</summary>
    public void Recount(Endpoint endpoint, CircuitChange change)
    {
        Recount();
        OrderedNotifier.Raise(CircuitChanged, endpoint, change);
    }

    /// <summary>The state of an endpoint changed.</summary>
    public void Recount()
    {
        lock (_lock)
        {
            RecountNeedsLock();
        }
    }

    /// <summary>Ejects an endpoint, unless too many are ejected: then the endpoint stays, and its next failure asks again.</summary>
    public void Eject(OutlierTracker tracker, EjectionCause cause)
    {
        lock (_lock)
        {
            // A group of one has no other endpoint that could take the requests.
            if (_isDisposed || tracker.IsEjected || _all.Length < 2 || _ejected >= MaxEjectedNeedsLock || !IsMemberNeedsLock(tracker))
            {
                return;
            }

            var now = Clock.Now;
            var goodPeriods = tracker.Times == 0
                ? 0
                : (int)Math.Min(tracker.Times, Clock.Between(tracker.ReturnedAt, now) / Settings.EjectionTime);
            tracker.Times += 1 - goodPeriods;
            var time = Settings.EjectionTime * tracker.Times;
            tracker.Time = time < MaxTime ? time : MaxTime;
            tracker.LeftAt = now;
            tracker.Leave();
            _ejected++;
            tracker.Timer = CleanContext.Call(() =>
                _time.CreateTimer(_ => TimePassed(tracker), null, tracker.Time, Timeout.InfiniteTimeSpan));
            _changes.Enqueue(new(tracker.Endpoint, true, cause, tracker.Times, tracker.Time));
            RecountNeedsLock();
        }

        _notifier.Notify();
    }

    /// <summary>Ends the ejection of an endpoint that was unreachable and answers again, and forgets the ejections before it.</summary>
    public void Return(OutlierTracker tracker)
    {
        lock (_lock)
        {
            if (!IsMemberNeedsLock(tracker))
            {
                return;
            }

            tracker.Times = 0;
            if (tracker.IsEjected)
            {
                ReturnNeedsLock(tracker, EjectionCause.AnswersAgain);
                RecountNeedsLock();
            }
        }

        _notifier.Notify();
    }

    /// <summary>
    /// The average latency of the other endpoints that take requests, in seconds: what an endpoint that returns is assumed to have, so that
    /// it gets requests again as soon as its slow start allows. Null without such endpoints.
    /// </summary>
    public float? LatencyBeside(Endpoint endpoint)
    {
        var (sum, count) = (0.0, 0);
        foreach (var other in _all)
        {
            if (other.Endpoint != endpoint && other.Endpoint.State == EndpointState.Healthy && !other.IsEjected
                && !other.Endpoint.LastFailed)
            {
                (sum, count) = (sum + other.Endpoint.Latency.TotalSeconds, count + 1);
            }
        }

        return count == 0 ? null : (float)(sum / count);
    }

    /// <summary>Whether an endpoint fails clearly more often than its peers that are not ejected.</summary>
    public bool IsWorseThanPeers(OutlierTracker tracker, Outcomes own)
    {
        var (successes, failures) = (0L, 0L);
        foreach (var other in _all)
        {
            // A peer whose numbers another thread sums at this moment is left out this time.
            if (other != tracker && !other.IsEjected && other.TryRead(out var within))
            {
                successes += within.Successes;
                failures += within.Failures;
            }
        }

        var peers = new Outcomes(successes, failures);
        return peers.Total >= Settings.MinimumRequests && FailureRates.IsWorse(own, peers, Settings.FailureRateMargin);
    }

    /// <summary>Ends all ejections. No endpoint is ejected from then on.</summary>
    public void Dispose()
    {
        Update([]);
        lock (_lock)
        {
            _isDisposed = true;
        }
    }

    private TimeSpan MaxTime => Settings.EjectionTime > Settings.MaxEjectionTime ? Settings.EjectionTime : Settings.MaxEjectionTime;

    private int MaxEjectedNeedsLock => Settings.MaxEjected == 0 ? 0 : Math.Max(1, (int)(Settings.MaxEjected * _all.Length));

    private bool IsMemberNeedsLock(OutlierTracker tracker) => _trackers.GetValueOrDefault(tracker.Endpoint) == tracker;

    private void TimePassed(OutlierTracker tracker)
    {
        lock (_lock)
        {
            if (!tracker.IsEjected || !IsMemberNeedsLock(tracker))
            {
                return;
            }

            ReturnNeedsLock(tracker, EjectionCause.TimePassed);
            RecountNeedsLock();
        }

        _notifier.Notify();
    }

    private void ReturnNeedsLock(OutlierTracker tracker, EjectionCause cause)
    {
        tracker.Timer?.Dispose();
        tracker.Timer = null;
        tracker.ReturnedAt = Clock.Now;
        tracker.Return(MakeWindow());
        _ejected--;
        _changes.Enqueue(new(tracker.Endpoint, false, cause, tracker.Times, tracker.Time));
    }

    private void RecountNeedsLock()
    {
        var (counted, fit, open) = (0, 0, false);
        foreach (var tracker in _all)
        {
            var isClosed = EndpointProtection.Of(tracker.Endpoint).Breaker.State == CircuitState.Closed;
            counted += tracker.Endpoint.State == EndpointState.Draining ? 0 : 1;
            fit += tracker.Endpoint.State == EndpointState.Healthy && !tracker.IsEjected && isClosed ? 1 : 0;
            open |= !isClosed;
        }

        _hasOpenCircuits = open;
        _panics = fit < Settings.PanicThreshold * counted;
        foreach (var tracker in _all)
        {
            EndpointProtection.Of(tracker.Endpoint).Breaker.TriesEarly = _panics;
        }
    }

    private OutcomeWindow MakeWindow()
    {
        var window = Clock.Stamps(Settings.Window);
        return new(window, Math.Max(1, window / Steps), Clock.Now);
    }

    private void NotifyAll()
    {
        while (_changes.TryDequeue(out var change))
        {
            OrderedNotifier.Raise(Changed, this, change);
        }
    }
}
