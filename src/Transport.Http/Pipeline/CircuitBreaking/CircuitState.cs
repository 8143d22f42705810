namespace ServiceMesh.Http;

/// <summary>What a circuit does with calls.</summary>
public enum CircuitState
{
    /// <summary>All calls go through, and their outcomes are counted.</summary>
    Closed,

    /// <summary>No call goes through.</summary>
    Open,

    /// <summary>One trial goes through in each <see cref="CircuitBreakerOptions.TrialRequestInterval"/>; the first that answers decides.</summary>
    HalfOpen,
}

/// <summary>Why a circuit changed.</summary>
public enum CircuitCause
{
    /// <summary>Too many of the calls within the window failed: it opened.</summary>
    FailureRate,

    /// <summary>The open window has passed: a trial was admitted.</summary>
    TrialAdmitted,

    /// <summary>A trial failed: it is open again, for longer.</summary>
    TrialFailed,

    /// <summary>A trial succeeded: it is closed.</summary>
    TrialSucceeded,

    /// <summary>Somebody opened or closed it by hand.</summary>
    ByHand,
}

/// <summary>One change of a circuit. Immutable.</summary>
/// <param name="From">What it was.</param>
/// <param name="To">What it is from then on.</param>
/// <param name="Cause">Why.</param>
/// <param name="At">When, by the breaker's clock.</param>
/// <param name="OpenFor">How long it admits nothing; null when it is not open, or open until it is closed by hand.</param>
public sealed record CircuitChange(CircuitState From, CircuitState To, CircuitCause Cause, DateTimeOffset At, TimeSpan? OpenFor);
