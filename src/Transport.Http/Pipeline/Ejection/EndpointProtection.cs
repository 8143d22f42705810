namespace ServiceMesh.Http;

/// <summary>
/// The circuit breaker of an endpoint and, if the endpoint belongs to a group, its ejection: together they are the
/// <see cref="EndpointGuard"/> that balancers see. Thread-safe.
/// </summary>
internal sealed class EndpointProtection : EndpointGuard
{
    private readonly Endpoint _endpoint;
    private OutlierTracker? _tracker;
    private volatile bool _hasReturned; // since the circuit closed last

    private EndpointProtection(Endpoint endpoint, CircuitBreakerOptions? settings)
    {
        _endpoint = endpoint;
        Breaker = new(endpoint.ToString(), settings, endpoint.Clock);
        Breaker.Changed += CircuitChanged;
    }

    public CircuitBreaker Breaker { get; }

    /// <summary>The endpoint as a member of its group; null outside a group.</summary>
    public OutlierTracker? Tracker
    {
        get => Volatile.Read(ref _tracker);
        set => Volatile.Write(ref _tracker, value);
    }

    public override bool IsEjected => Tracker is { IsEjected: true };

    public override bool IsTrialDue => Breaker.IsTrialDue;

    public override IEndpointGroup? Group => Tracker?.Group;

    /// <summary>The protection of an endpoint, which is added with default settings if the endpoint has none.</summary>
    public static EndpointProtection Of(Endpoint endpoint) => endpoint.Guard as EndpointProtection ?? Add(endpoint, null);

    /// <summary>Adds the protection to a new endpoint.</summary>
    /// <exception cref="ArgumentException">A setting is not valid; the message names it.</exception>
    public static EndpointProtection Add(Endpoint endpoint, CircuitBreakerOptions? settings) =>
        (EndpointProtection)endpoint.TrySetGuard(new EndpointProtection(endpoint, settings));

    public override bool Admits(bool ignoresEjection, bool isLastAttempt) =>
        Breaker.WouldAdmit
        && (ignoresEjection || Tracker is not { IsEjected: true, Group.Panics: false })
        && !(isLastAttempt && Breaker.SparesLastAttempts);

    public override void StateChanged() => Tracker?.Group.Recount();

    public override void Returned()
    {
        Breaker.TryEarly();
        if (Tracker is { } tracker)
        {
            tracker.Group.Return(tracker);
        }

        _hasReturned = true;
        _endpoint.StartSlowly(Tracker?.Group.LatencyBeside(_endpoint));
    }

    private void CircuitChanged(object? sender, CircuitChange change)
    {
        if (change.To == CircuitState.Closed)
        {
            _endpoint.StartSlowly(_hasReturned ? Tracker?.Group.LatencyBeside(_endpoint) : null);
            _hasReturned = false;
        }

        Tracker?.Group.Recount(_endpoint, change);
    }
}
