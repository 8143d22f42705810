using System.Globalization;

namespace ServiceMesh.Http;

/// <summary>
/// One address of a service with its measured state: attempts in flight, latency, traffic and reported load. It stays the same
/// object for as long as the address belongs to the service. Thread-safe without locks.
/// </summary>
/// <remarks>
/// The sender of an attempt calls <see cref="Begin"/>, then <see cref="RecordSuccess"/> or <see cref="RecordFailure"/> when the
/// response headers have arrived, and <see cref="End"/> once, when the body has been read or abandoned. An attempt that its caller
/// cancels records nothing, because that is not a failure of the endpoint.
/// </remarks>
public sealed class Endpoint
{
    /// <summary>The assumed latency of a new endpoint, in seconds, before its first response.</summary>
    private const float InitialLatency = 0.030f;

    private static readonly TimeSpan s_minPenalty = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_maxPenalty = TimeSpan.FromSeconds(300);
    private static readonly TimeSpan s_slowStart = TimeSpan.FromSeconds(20);

    private readonly uint _createdAt;
    private readonly PeakEwma _latency = new(InitialLatency);
    private readonly RecentPeak _recentLatency = new();
    private readonly DecayingSum _bytes = new();
    private readonly DecayingValue _load = new();
    private ResolvedAddress _address;
    private int _inFlight;
    private int _state;
    private bool _lastFailed;
    private bool _isMany;
    private bool _hasBegun;
    private long _lastSuccess;
    private long _startedAt;
    private EndpointGuard? _guard;

    /// <summary>Creates an endpoint.</summary>
    /// <param name="address">The address.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="warm">True: the endpoint takes its full share at once. False: it starts slowly.</param>
    public Endpoint(ResolvedAddress address, TimeProvider clock, bool warm = true)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(clock);
        _address = address;
        Clock = clock;
        _createdAt = CoarseClock.Read(clock);
        _startedAt = warm ? long.MinValue : clock.GetTimestamp();
    }

    /// <summary>The address. Its weight and priority may change; host, port, name and TLS of a remote endpoint do not.</summary>
    public ResolvedAddress Address
    {
        get => Volatile.Read(ref _address);
        internal set => Volatile.Write(ref _address, value);
    }

    /// <summary>
    /// Whether the endpoint takes requests. An endpoint that becomes healthy again starts slowly. Default: <see
    /// cref="EndpointState.Healthy"/>.
    /// </summary>
    public EndpointState State
    {
        get => (EndpointState)Volatile.Read(ref _state);
        set
        {
            var before = (EndpointState)Interlocked.Exchange(ref _state, (int)value);
            if (before == value)
            {
                return;
            }

            if (value == EndpointState.Healthy)
            {
                Volatile.Write(ref _startedAt, Clock.GetTimestamp());
            }

            if (before == EndpointState.Unreachable)
            {
                Guard?.Returned();
            }

            Guard?.StateChanged();
        }
    }

    /// <summary>
    /// Whether a balancer may choose the endpoint: it is healthy, its weight is not 0, it is not full, its circuit would admit a request
    /// now, and it is not ejected (or its group ignores ejection at present).
    /// </summary>
    public bool CanTake => CanTakeWhen(ignoresEjection: false, isLastAttempt: false);

    /// <summary>Whether the endpoint is ejected because it was worse than its peers.</summary>
    public bool IsEjected => Guard is { IsEjected: true };

    /// <summary>Attempts that have begun and not ended.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Whether the last recorded attempt failed.</summary>
    public bool LastFailed => Volatile.Read(ref _lastFailed);

    /// <summary>The time of the last success, as a timestamp of the clock; 0 if there was none.</summary>
    public long LastSuccess => Volatile.Read(ref _lastSuccess);

    /// <summary>Bytes sent and received within about the last ten seconds.</summary>
    public double RecentBytes => BytesAt(CoarseClock.Read(Clock));

    /// <summary>
    /// The load that the server reported with its last responses, fading over about ten seconds: 0 is idle, 1 is full, more than 1 means a
    /// queue. 0 when the server reports nothing.
    /// </summary>
    public double ReportedLoad
    {
        get => LoadAt(CoarseClock.Read(Clock));
        set => _load.Set(double.IsNaN(value) ? 0 : (float)Math.Clamp(value, 0, 1000), Now);
    }

    /// <summary>
    /// The peak average of the latency, and at most the highest latency of the last one or two seconds. It fades while nothing is in
    /// flight, so that a slow or failing endpoint is tried again. It does not fade while a response is awaited, so that one trial does not
    /// attract a thousand requests.
    /// </summary>
    public TimeSpan Latency => TimeSpan.FromSeconds(LatencyAt(CoarseClock.Read(Clock)));

    /// <summary>The weight, reduced during a slow start: it rises from a tenth to the whole weight within 20 seconds.</summary>
    public double EffectiveWeight => Address.Weight * Warmth;

    /// <summary>
    /// Whether several nodes answer at the address, so that it is a load balancer: a refusal says nothing about the next request there.
    /// </summary>
    internal bool IsMany
    {
        get => Volatile.Read(ref _isMany);
        set => Volatile.Write(ref _isMany, value);
    }

    internal TimeProvider Clock { get; }

    /// <summary>The circuit breaker and the ejection of the endpoint, as balancers see them; null while the endpoint has neither.</summary>
    internal EndpointGuard? Guard => Volatile.Read(ref _guard);

    /// <summary>Whether as many attempts are in flight as are allowed.</summary>
    internal bool IsFull => InFlight >= MaxInFlight;

    /// <summary>The number of attempts that may be in flight.</summary>
    internal int MaxInFlight { get; init; } = int.MaxValue;

    /// <summary>The share of its weight that a starting endpoint has: 0.1 to 1.</summary>
    internal double Warmth
    {
        get
        {
            var startedAt = Volatile.Read(ref _startedAt);
            return startedAt == long.MinValue ? 1 : Math.Clamp(Clock.GetElapsedTime(startedAt) / s_slowStart, 0.1, 1);
        }
    }

    // Milliseconds since creation, wrapping after 49 days.
    private uint Now => unchecked(CoarseClock.Read(Clock) - _createdAt);

    // Balancers read the coarse clock once for all endpoints that they compare.

    /// <summary><see cref="Latency"/> in seconds.</summary>
    internal float LatencyAt(uint now) =>
        Math.Min(InFlight == 0 ? _latency.Read(unchecked(now - _createdAt)) : _latency.Last, _recentLatency.Value);

    /// <summary>
    /// Whether no attempt has begun since the endpoint is new. One that was abandoned without a result counts too, so that an endpoint
    /// that hangs does not attract one caller after the other.
    /// </summary>
    internal bool IsUntested => !Volatile.Read(ref _hasBegun) && InFlight == 0 && float.IsPositiveInfinity(_recentLatency.Value);

    /// <summary>The same as <see cref="ReportedLoad"/>.</summary>
    internal float LoadAt(uint now) => _load.Read(unchecked(now - _createdAt));

    /// <summary>The same as <see cref="RecentBytes"/>.</summary>
    internal float BytesAt(uint now) => _bytes.Read(unchecked(now - _createdAt));

    /// <summary>Whether a balancer may choose the endpoint under these conditions.</summary>
    /// <param name="ignoresEjection">True: an ejected endpoint may be chosen too.</param>
    /// <param name="isLastAttempt">
    /// True: no other attempt can follow, so the endpoint must not be one whose circuit spares last attempts.
    /// </param>
    internal bool CanTakeWhen(bool ignoresEjection, bool isLastAttempt) =>
        State == EndpointState.Healthy && Address.Weight > 0 && !IsFull && Guard?.Admits(ignoresEjection, isLastAttempt) != false;

    /// <summary>Gives the endpoint a guard, unless it has one. Returns the guard that it has then.</summary>
    internal EndpointGuard TrySetGuard(EndpointGuard guard) => Interlocked.CompareExchange(ref _guard, guard, null) ?? guard;

    /// <summary>An attempt begins.</summary>
    public void Begin()
    {
        Interlocked.Increment(ref _inFlight);
        MarkBegun();
    }

    /// <summary>
    /// An attempt begins, unless the endpoint began to drain between the choice and the count. A draining node leaves when it learns that
    /// nothing is in flight, so either the attempt has been counted or the drain is seen here. Circuit and ejection are not asked:
    /// a signal goes to every subscriber, whatever became of other messages.
    /// </summary>
    /// <param name="limited">
    /// True: <see cref="MaxInFlight"/> applies. That is for requests, whose callers receive the refusal.
    /// </param>
    internal bool TryBegin(bool limited = false)
    {
        var now = Interlocked.Increment(ref _inFlight);
        if (State == EndpointState.Healthy && (!limited || now <= MaxInFlight))
        {
            MarkBegun();
            return true;
        }

        End();
        return false;
    }

    /// <summary>An attempt ended: its response body was read or abandoned. Call it once for each <see cref="Begin"/>.</summary>
    public void End() => Interlocked.Decrement(ref _inFlight);

    /// <summary>Bytes were sent or received.</summary>
    public void RecordBytes(long count) => _bytes.Add(count, Now);

    /// <summary>The endpoint answered.</summary>
    /// <param name="latency">From the beginning of the attempt to the response headers.</param>
    public void RecordSuccess(TimeSpan latency)
    {
        // An answer that the network held back until the endpoint returned says nothing about the endpoint as it is now.
        var startedAt = Volatile.Read(ref _startedAt);
        if (startedAt == long.MinValue || latency <= Clock.GetElapsedTime(startedAt))
        {
            RecordLatency(latency);
        }

        Volatile.Write(ref _lastFailed, false);
        Volatile.Write(ref _lastSuccess, Clock.GetTimestamp());
    }

    /// <summary>
    /// The endpoint failed: no connection, no response in time, 429 or 5xx. However quick the failure was, it counts as a latency of at
    /// least 5 seconds, so that failing fast does not attract traffic.
    /// </summary>
    /// <param name="retryAfter">How long the server asked its callers to wait; at most 300 seconds count.</param>
    public void RecordFailure(TimeSpan? retryAfter = null)
    {
        var penalty = retryAfter is { } asked && asked > s_minPenalty ? asked : s_minPenalty;
        RecordLatency(penalty < s_maxPenalty ? penalty : s_maxPenalty);
        Volatile.Write(ref _lastFailed, true);
    }

    /// <summary>
    /// An attempt was abandoned before the response, because another attempt was answered first: the latency is at least this. That is
    /// neither a success nor a failure.
    /// </summary>
    internal void RecordSlow(TimeSpan atLeast)
    {
        if (atLeast > Latency)
        {
            RecordLatency(atLeast);
        }
    }

    /// <summary>The endpoint returns after a time without requests: it counts as new, and its latency as unknown.</summary>
    /// <param name="latency">The latency to assume, in seconds; null for that of a new endpoint.</param>
    internal void StartSlowly(float? latency = null)
    {
        _latency.Reset(latency ?? InitialLatency, Now);
        _recentLatency.Reset();
        Volatile.Write(ref _hasBegun, false);
        Volatile.Write(ref _lastFailed, false);
        Volatile.Write(ref _startedAt, Clock.GetTimestamp());
    }

    // Written once, so that the attempts that follow only read what all of them share.
    private void MarkBegun()
    {
        if (!Volatile.Read(ref _hasBegun))
        {
            Volatile.Write(ref _hasBegun, true);
        }
    }

    private void RecordLatency(TimeSpan latency)
    {
        var (seconds, now) = ((float)latency.TotalSeconds, Now);
        _latency.Record(seconds, now);
        _recentLatency.Record(seconds, now);
    }

    /// <summary>Host and port.</summary>
    public override string ToString() => Address.Host.Contains(':', StringComparison.Ordinal)
        ? string.Create(CultureInfo.InvariantCulture, $"[{Address.Host}]:{Address.Port}")
        : string.Create(CultureInfo.InvariantCulture, $"{Address.Host}:{Address.Port}");
}
