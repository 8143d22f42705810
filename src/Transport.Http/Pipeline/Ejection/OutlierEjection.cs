using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// Leaves out those endpoints of a group that are worse than their peers, for a time that grows; never too many of them. It
/// lives with the addresses of a group (<see cref="GroupWatcher"/>), so all who call the group see the same. Thread-safe:
/// picks and recordings read flags, and only a change of an endpoint takes the lock. After the outlier detection of Envoy and
/// the panic threshold of its load balancer.
/// </summary>
internal sealed class OutlierEjection : IDisposable
{
    private const int Steps = 20;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly ConcurrentQueue<EjectionChange> _news = new();
    private readonly Teller _teller;
    private readonly Dictionary<Endpoint, Peer> _members = [];
    private ImmutableArray<Peer> _peers = [];
    private int _ejected;
    private bool _isDisposed;
    private volatile bool _panics;
    private volatile bool _hasOpenCircuits;

    /// <param name="settings">Not changed from now on.</param>
    /// <param name="clock">The clock.</param>
    /// <exception cref="ArgumentException">The settings cannot work; the message says why.</exception>
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
        _teller = new(TellNews);
    }

    /// <summary>Raised for each endpoint that is ejected or back, in order and one at a time, outside of the lock.</summary>
    public event EventHandler<EjectionChange>? Changed;

    /// <summary>Raised for each change of an endpoint's circuit, which is the sender, in the order of that endpoint.</summary>
    public event EventHandler<CircuitChange>? CircuitChanged;

    public OutlierEjectionOptions Settings { get; }

    private TimeSpan MaxTime => Settings.EjectionTime > Settings.MaxEjectionTime ? Settings.EjectionTime : Settings.MaxEjectionTime;

    public CoarseClock Clock { get; }

    /// <summary>
    /// True while less than <see cref="OutlierEjectionOptions.PanicThreshold"/> of the group can take requests: are healthy,
    /// not ejected, and their circuits closed. Those that drain are not counted at all.
    /// </summary>
    public bool Panics => _panics;

    /// <summary>Whether a circuit of the group is not closed: only then it is worth looking for one whose trial is due.</summary>
    public bool HasOpenCircuits => _hasOpenCircuits;

    /// <summary>How many are ejected.</summary>
    public int Ejected => Volatile.Read(ref _ejected);

    /// <summary>These are the endpoints from now on. Those that stay keep their conduct; those that go are nobody's peers any more.</summary>
    public void Update(ImmutableArray<Endpoint> endpoints)
    {
        lock (_lock)
        {
            foreach (var gone in _members.Values.Where(p => !endpoints.Contains(p.Endpoint)).ToArray())
            {
                _members.Remove(gone.Endpoint);
                _ejected -= gone.IsEjected ? 1 : 0;
                gone.Timer?.Dispose();
                gone.Endpoint.Peer = null;
                gone.Endpoint.Breaker.TriesEarly = false;
            }

            foreach (var endpoint in endpoints)
            {
                if (!_members.ContainsKey(endpoint))
                {
                    _members[endpoint] = endpoint.Peer = new(endpoint, this, MakeWindow());
                }
            }

            _peers = [.. _members.Values];
            foreach (var tooMany in _peers.Where(p => p.IsEjected).OrderBy(p => p.LeftAt).Take(Math.Max(0, _ejected - MostNeedsLock)).ToArray())
            {
                ReturnNeedsLock(tooMany, EjectionCause.GroupShrank);
            }

            RecountNeedsLock();
        }

        _teller.Tell();
    }

    /// <summary>The circuit of an endpoint has changed.</summary>
    public void Recount(Endpoint endpoint, CircuitChange change)
    {
        Recount();
        Teller.Raise(CircuitChanged, endpoint, change);
    }

    /// <summary>The state of an endpoint has changed.</summary>
    public void Recount()
    {
        lock (_lock)
        {
            RecountNeedsLock();
        }
    }

    /// <summary>Ejects an endpoint, unless it would be one too many: then it stays, and its next failure asks again.</summary>
    public void Eject(Peer peer, EjectionCause cause)
    {
        lock (_lock)
        {
            // Where there is no peer, nobody else could take its requests.
            if (_isDisposed || peer.IsEjected || _peers.Length < 2 || _ejected >= MostNeedsLock || _members.GetValueOrDefault(peer.Endpoint) != peer)
            {
                return;
            }

            var now = Clock.Now;
            var stayed = peer.Times == 0 ? 0 : (int)Math.Min(peer.Times, Clock.Between(peer.ReturnedAt, now) / Settings.EjectionTime);
            peer.Times += 1 - stayed;
            var time = Settings.EjectionTime * peer.Times;
            peer.Time = time < MaxTime ? time : MaxTime;
            peer.LeftAt = now;
            peer.Leave();
            _ejected++;
            peer.Timer = _time.CreateTimer(_ => TimePassed(peer), null, peer.Time, Timeout.InfiniteTimeSpan);
            _news.Enqueue(new(peer.Endpoint, true, cause, peer.Times, peer.Time));
            RecountNeedsLock();
        }

        _teller.Tell();
    }

    /// <summary>Whether an endpoint fails clearly more often than its peers that are in.</summary>
    public bool IsWorseThanPeers(Peer peer, Outcomes own)
    {
        var (successes, failures) = (0L, 0L);
        foreach (var other in _peers)
        {
            // One whose numbers another thread sums at this moment is left out this time.
            if (other != peer && !other.IsEjected && other.TryRead(out var within))
            {
                successes += within.Successes;
                failures += within.Failures;
            }
        }

        var peers = new Outcomes(successes, failures);
        return peers.Total >= Settings.MinimumRequests && FailureRates.IsWorse(own, peers, Settings.FailureRateMargin);
    }

    /// <summary>Ends all ejections; nobody is ejected any more.</summary>
    public void Dispose()
    {
        Update([]);
        lock (_lock)
        {
            _isDisposed = true;
        }
    }

    private int MostNeedsLock => Settings.MaxEjected == 0 ? 0 : Math.Max(1, (int)(Settings.MaxEjected * _peers.Length));

    private void TimePassed(Peer peer)
    {
        lock (_lock)
        {
            if (!peer.IsEjected || _members.GetValueOrDefault(peer.Endpoint) != peer)
            {
                return;
            }

            ReturnNeedsLock(peer, EjectionCause.TimePassed);
            RecountNeedsLock();
        }

        _teller.Tell();
    }

    private void ReturnNeedsLock(Peer peer, EjectionCause cause)
    {
        peer.Timer?.Dispose();
        peer.Timer = null;
        peer.ReturnedAt = Clock.Now;
        peer.Return(MakeWindow());
        _ejected--;
        _news.Enqueue(new(peer.Endpoint, false, cause, peer.Times, peer.Time));
    }

    private void RecountNeedsLock()
    {
        var (counted, fit, open) = (0, 0, false);
        foreach (var peer in _peers)
        {
            var isClosed = peer.Endpoint.Breaker.State == CircuitState.Closed;
            counted += peer.Endpoint.State == EndpointState.Draining ? 0 : 1;
            fit += peer.Endpoint.State == EndpointState.Healthy && !peer.IsEjected && isClosed ? 1 : 0;
            open |= !isClosed;
        }

        _hasOpenCircuits = open;
        _panics = fit < Settings.PanicThreshold * counted;
        foreach (var peer in _peers)
        {
            peer.Endpoint.Breaker.TriesEarly = _panics;
        }
    }

    private OutcomeWindow MakeWindow()
    {
        var window = Clock.Stamps(Settings.Window);
        return new(window, Math.Max(1, window / Steps), Clock.Now);
    }

    private void TellNews()
    {
        while (_news.TryDequeue(out var change))
        {
            Teller.Raise(Changed, this, change);
        }
    }
}
