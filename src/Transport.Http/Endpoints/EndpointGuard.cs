namespace ServiceMesh.Http;

/// <summary>
/// What stands between balancers and an endpoint beyond its own state: a circuit breaker and an ejection, of which this room knows
/// nothing else. Thread-safe; all members are cheap, because each pick of a balancer reads them.
/// </summary>
internal abstract class EndpointGuard
{
    /// <summary>Whether the endpoint is ejected, whether or not its group ignores that at present.</summary>
    public abstract bool IsEjected { get; }

    /// <summary>Whether the circuit is not closed and would admit a trial now.</summary>
    public abstract bool IsTrialDue { get; }

    /// <summary>The group that the endpoint belongs to; null outside a group.</summary>
    public abstract IEndpointGroup? Group { get; }

    /// <summary>Whether a request may be sent now. Changes nothing.</summary>
    /// <param name="ignoresEjection">True: an ejected endpoint is admitted too.</param>
    /// <param name="isLastAttempt">
    /// True: no other attempt can follow, so the request must not be the trial of a circuit that was due only a moment ago.
    /// </param>
    public abstract bool Admits(bool ignoresEjection, bool isLastAttempt);

    /// <summary>The state of the endpoint changed.</summary>
    public abstract void StateChanged();

    /// <summary>
    /// The endpoint was unreachable and answers again: what its failures meanwhile have led to says nothing about it any longer.
    /// </summary>
    public abstract void Returned();
}

/// <summary>The endpoints of one service, as balancers see them together.</summary>
internal interface IEndpointGroup
{
    /// <summary>Whether a circuit of the group is not closed: only then a balancer looks for a circuit whose trial is due.</summary>
    bool HasOpenCircuits { get; }
}
