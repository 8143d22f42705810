namespace ServiceMesh.Http;

/// <summary>
/// The admission of one call by a <see cref="CircuitBreaker"/>, needed to report the outcome. It holds the state that admitted the call,
/// so an outcome that arrives after that state has ended changes nothing.
/// </summary>
public readonly struct CircuitPass
{
    internal CircuitPass(Circuit circuit) => Circuit = circuit;

    /// <summary>Whether the call is the trial of a circuit that is not closed.</summary>
    public bool IsTrial => Circuit is HalfOpenCircuit;

    /// <summary>Null in the default value, which no breaker gave.</summary>
    internal Circuit? Circuit { get; }
}
