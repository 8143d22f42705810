namespace ServiceMesh.Http;

/// <summary>What a balancer may look at when it chooses. A default one is fine: no key, nothing tried.</summary>
public readonly ref struct PickContext
{
    /// <summary>What <c>ConsistentHash</c> hashes, for instance a customer's id; null when the message has no key.</summary>
    public string? Key { get; init; }

    /// <summary>The endpoints that this request was already sent to: avoided while there is another.</summary>
    public ReadOnlySpan<Endpoint> Tried { get; init; }

    /// <summary>Whether ejected ones are allowed too: when there is nobody else who was not tried.</summary>
    internal bool IgnoresEjection { get; init; }

    /// <summary>
    /// Whether no other attempt can follow one that fails: then it is not the trial of an open circuit while somebody else can
    /// take it, unless that trial has waited for a whole interval and nobody who can afford it came.
    /// </summary>
    internal bool IsLastAttempt { get; init; }

    /// <summary>Whether the endpoint can take a request and was not tried yet: the first choice of every balancer.</summary>
    public bool Allows(Endpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (!CanTake(endpoint))
        {
            return false;
        }

        foreach (var tried in Tried)
        {
            if (ReferenceEquals(tried, endpoint))
            {
                return false;
            }
        }

        return true;
    }

    internal bool CanTake(Endpoint endpoint) =>
        (IgnoresEjection ? endpoint.CanTakeUnlessEjected : endpoint.CanTake) && !(IsLastAttempt && endpoint.Breaker.SparesLastAttempts);
}
