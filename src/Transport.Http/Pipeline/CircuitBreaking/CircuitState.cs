namespace ServiceMesh.Http;

/// <summary>What a circuit does with calls.</summary>
public enum CircuitState
{
    /// <summary>All calls are admitted, and their outcomes are counted.</summary>
    Closed,

    /// <summary>No call is admitted.</summary>
    Open,

    /// <summary>
    /// One trial is admitted in each <see cref="CircuitBreakerOptions.TrialRequestInterval"/>; the first that is answered decides.
    /// </summary>
    HalfOpen,
}

/// <summary>Why a circuit changed.</summary>
public enum CircuitCause
{
    /// <summary>Too many of the calls within the window failed: the circuit opened.</summary>
    FailureRate,

    /// <summary>The open window has passed: a trial was admitted.</summary>
    TrialAdmitted,

    /// <summary>A trial failed: the circuit is open again, for longer.</summary>
    TrialFailed,

    /// <summary>A trial succeeded: the circuit is closed.</summary>
    TrialSucceeded,

    /// <summary>The circuit was opened or closed by hand.</summary>
    ByHand,
}

/// <summary>One change of a circuit. Immutable.</summary>
/// <param name="From">The state before.</param>
/// <param name="To">The state after.</param>
/// <param name="Cause">The cause.</param>
/// <param name="At">The time, by the breaker's clock.</param>
/// <param name="OpenFor">How long no call is admitted; null if the circuit is not open, or is open until it is closed by hand.</param>
public sealed record CircuitChange(CircuitState From, CircuitState To, CircuitCause Cause, DateTimeOffset At, TimeSpan? OpenFor);
