namespace ServiceMesh.Http;

/// <summary>
/// What a call got when a <see cref="CircuitBreaker"/> admitted it, and reports its outcome with: it knows the state that
/// admitted it, so an answer that comes when that state is over changes nothing.
/// </summary>
public readonly struct CircuitPass
{
    internal CircuitPass(Circuit circuit) => Circuit = circuit;

    /// <summary>Whether the call is the trial of a circuit that is not closed.</summary>
    public bool IsTrial => Circuit is HalfOpenCircuit;

    /// <summary>Null in a default one, which no breaker gave.</summary>
    internal Circuit? Circuit { get; }
}
