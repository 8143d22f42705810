using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// One address of a group with its live state. It stays the same object for as long as the address is in the group.
/// Thread-safe without locks.
/// </summary>
/// <remarks>
/// Who sends a request calls <see cref="Begin"/>, then <see cref="RecordSuccess"/> or <see cref="RecordFailure"/> when the
/// headers are there, and <see cref="End"/> once when the body has been read or given up. A caller that cancels records
/// nothing: that is no failure of the endpoint.
/// </remarks>
public sealed class Endpoint
{
    /// <summary>What a new endpoint is taken to need before its first answer.</summary>
    private const float FirstLatency = 0.030f;

    private static readonly TimeSpan s_leastPenalty = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_mostPenalty = TimeSpan.FromSeconds(300);
    private static readonly TimeSpan s_slowStart = TimeSpan.FromSeconds(20);

    private readonly TimeProvider _clock;
    private readonly uint _made;
    private readonly PeakEwma _latency = new(FirstLatency);
    private readonly DecayingSum _bytes = new();
    private readonly DecayingMark _load = new();
    private ResolvedAddress _address;
    private int _inFlight;
    private int _state;
    private bool _lastFailed;
    private long _lastSuccess;
    private long _startedAt;
    private Peer? _peer;

    /// <summary>Makes an endpoint.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="warm">Whether it takes its full share at once; otherwise it starts slowly.</param>
    /// <param name="breaker">The settings of its circuit breaker. Default: all defaults.</param>
    /// <exception cref="ArgumentException">The settings cannot work; the message says why.</exception>
    public Endpoint(ResolvedAddress address, TimeProvider clock, bool warm = true, CircuitBreakerOptions? breaker = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(clock);
        _address = address;
        _clock = clock;
        _made = CoarseClock.Read(clock);
        _startedAt = warm ? long.MinValue : clock.GetTimestamp();
        Breaker = new(ToString(), breaker, clock);
        Breaker.Changed += CircuitChanged;
    }

    /// <summary>Where it is. Weight and priority may change; host, port, name and TLS of a remote one do not.</summary>
    public ResolvedAddress Address
    {
        get => Volatile.Read(ref _address);
        internal set => Volatile.Write(ref _address, value);
    }

    /// <summary>Whether it takes requests. Becoming healthy again is a slow start. Default: <see cref="EndpointState.Healthy"/>.</summary>
    public EndpointState State
    {
        get => (EndpointState)Volatile.Read(ref _state);
        set
        {
            if (Interlocked.Exchange(ref _state, (int)value) == (int)value)
            {
                return;
            }

            if (value == EndpointState.Healthy)
            {
                Volatile.Write(ref _startedAt, _clock.GetTimestamp());
            }

            Peer?.Group.Recount();
        }
    }

    /// <summary>
    /// Whether a balancer may choose it: it is healthy, not full, its circuit would admit a call now, and it is not ejected or
    /// its group is in panic.
    /// </summary>
    public bool CanTake => CanTakeUnlessEjected && !(Peer is { IsEjected: true, Group.Panics: false });

    /// <summary>Its circuit breaker. Whoever sends to it asks the breaker first, and reports to it what came of it.</summary>
    public CircuitBreaker Breaker { get; }

    /// <summary>Whether it is left out because it was worse than its peers.</summary>
    public bool IsEjected => Peer is { IsEjected: true };

    /// <summary>Attempts that have begun and not ended.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Whether the last answer was a failure.</summary>
    public bool LastFailed => Volatile.Read(ref _lastFailed);

    /// <summary>When it last succeeded, as a timestamp of the clock; 0 when it never did.</summary>
    public long LastSuccess => Volatile.Read(ref _lastSuccess);

    /// <summary>Bytes sent and received within about the last ten seconds.</summary>
    public double RecentBytes => BytesAt(CoarseClock.Read(_clock));

    /// <summary>
    /// What the server said of its own load in its last answers, fading over about ten seconds: 0 is idle, 1 is full, more
    /// is a queue. 0 when it says nothing.
    /// </summary>
    public double ReportedLoad
    {
        get => LoadAt(CoarseClock.Read(_clock));
        set => _load.Set(double.IsNaN(value) ? 0 : (float)Math.Clamp(value, 0, 1000), Now);
    }

    /// <summary>
    /// The peak average of its latency. It fades while nothing is in flight, so that a slow or failing endpoint is tried
    /// again some day; while an answer is awaited it does not, so that one trial is not followed by a thousand.
    /// </summary>
    public TimeSpan Latency => TimeSpan.FromSeconds(LatencyAt(CoarseClock.Read(_clock)));

    /// <summary>Its weight, less while it starts slowly: from a tenth to the whole within 20 seconds.</summary>
    public double EffectiveWeight => Address.Weight * Warmth;

    /// <summary>What it is in its group; null outside of one.</summary>
    internal Peer? Peer
    {
        get => Volatile.Read(ref _peer);
        set => Volatile.Write(ref _peer, value);
    }

    internal bool CanTakeUnlessEjected => State == EndpointState.Healthy && !IsFull && Breaker.WouldAdmit;

    /// <summary>Whether as many attempts are under way as may be.</summary>
    internal bool IsFull => InFlight >= MostInFlight;

    /// <summary>How many attempts may be under way.</summary>
    internal int MostInFlight { get; init; } = int.MaxValue;

    /// <summary>0.1 to 1.</summary>
    internal double Warmth
    {
        get
        {
            var startedAt = Volatile.Read(ref _startedAt);
            return startedAt == long.MinValue ? 1 : Math.Clamp(_clock.GetElapsedTime(startedAt) / s_slowStart, 0.1, 1);
        }
    }

    // Milliseconds since it was made, wrapping after 49 days.
    private uint Now => unchecked(CoarseClock.Read(_clock) - _made);

    // Balancers read the coarse clock once for all that they compare.

    /// <summary>What <see cref="Latency"/> is, in seconds.</summary>
    internal float LatencyAt(uint now) => InFlight == 0 ? _latency.Read(unchecked(now - _made)) : _latency.Last;

    /// <summary>What <see cref="ReportedLoad"/> is.</summary>
    internal float LoadAt(uint now) => _load.Read(unchecked(now - _made));

    /// <summary>What <see cref="RecentBytes"/> is.</summary>
    internal float BytesAt(uint now) => _bytes.Read(unchecked(now - _made));

    /// <summary>An attempt begins.</summary>
    public void Begin() => Interlocked.Increment(ref _inFlight);

    /// <summary>
    /// An attempt begins, unless it has begun to drain between the choice and the count: a node that hears that nothing is
    /// under way to it goes, so either the attempt has been counted or this has been seen. Nothing else is asked: a signal
    /// goes to all who want it, whatever became of others.
    /// </summary>
    /// <param name="limited">Whether it counts that as many as may be are under way: for requests, of which somebody hears the refusal.</param>
    internal bool TryBegin(bool limited = false)
    {
        var now = Interlocked.Increment(ref _inFlight);
        if (State == EndpointState.Healthy && (!limited || now <= MostInFlight))
        {
            return true;
        }

        End();
        return false;
    }

    /// <summary>An attempt ended: its body was read, or nobody wants it. Once for each <see cref="Begin"/>.</summary>
    public void End() => Interlocked.Decrement(ref _inFlight);

    /// <summary>Bytes went out or came in.</summary>
    public void RecordBytes(long count) => _bytes.Add(count, Now);

    /// <summary>It answered.</summary>
    /// <param name="latency">From the beginning of the attempt to the headers of the answer.</param>
    public void RecordSuccess(TimeSpan latency)
    {
        _latency.Record((float)latency.TotalSeconds, Now);
        Volatile.Write(ref _lastFailed, false);
        Volatile.Write(ref _lastSuccess, _clock.GetTimestamp());
        Peer?.Record(failed: false);
    }

    /// <summary>
    /// It failed: no connection, no answer in time, 429 or 5xx. However fast that was, it counts as 5 seconds at least, so
    /// that failing fast does not attract traffic.
    /// </summary>
    /// <param name="retryAfter">How long the server asked to be left alone; at most 300 seconds count.</param>
    /// <param name="isWell">
    /// True when the endpoint itself is well: it said that it is full, or that a handler failed. Then it gets less, and is
    /// not ejected for it.
    /// </param>
    public void RecordFailure(TimeSpan? retryAfter = null, bool isWell = false)
    {
        var penalty = retryAfter is { } asked && asked > s_leastPenalty ? asked : s_leastPenalty;
        _latency.Record((float)(penalty < s_mostPenalty ? penalty : s_mostPenalty).TotalSeconds, Now);
        Volatile.Write(ref _lastFailed, true);
        Peer?.Record(failed: !isWell);
    }

    /// <summary>An attempt was given up before it answered, because another one had: its latency is this at least. No failure, and no success.</summary>
    internal void RecordSlow(TimeSpan atLeast)
    {
        if (atLeast > Latency)
        {
            _latency.Record((float)atLeast.TotalSeconds, Now);
        }
    }

    /// <summary>It is back after a time in which it got nothing: it counts as new, and its latency as unknown.</summary>
    internal void StartSlowly()
    {
        _latency.Reset(FirstLatency, Now);
        Volatile.Write(ref _lastFailed, false);
        Volatile.Write(ref _startedAt, _clock.GetTimestamp());
    }

    /// <summary>Host and port.</summary>
    public override string ToString() => Address.Host.Contains(':', StringComparison.Ordinal)
        ? string.Create(CultureInfo.InvariantCulture, $"[{Address.Host}]:{Address.Port}")
        : string.Create(CultureInfo.InvariantCulture, $"{Address.Host}:{Address.Port}");

    private void CircuitChanged(object? sender, CircuitChange change)
    {
        if (change.To == CircuitState.Closed)
        {
            StartSlowly();
        }

        Peer?.Group.Recount(this, change);
    }
}
