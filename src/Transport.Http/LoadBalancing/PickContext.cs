namespace ServiceMesh.Http;

/// <summary>What a balancer may look at when it chooses. The default value is valid: no key, nothing tried.</summary>
public readonly ref struct PickContext
{
    /// <summary>What <c>ConsistentHash</c> hashes, for instance the id of a customer; null when the message has no key.</summary>
    public string? Key { get; init; }

    /// <summary>The endpoints that this request was already sent to: avoided while there is another.</summary>
    public ReadOnlySpan<Endpoint> Tried { get; init; }

    /// <summary>Whether ejected endpoints are allowed too: when no other untried endpoint is left.</summary>
    internal bool IgnoresEjection { get; init; }

    /// <summary>
    /// Whether no other attempt can follow one that fails. Such an attempt is not the trial of an open circuit while another endpoint can
    /// take it, unless that trial has been due for a whole interval and no request with attempts left has come.
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

    internal bool CanTake(Endpoint endpoint) => endpoint.CanTakeWhen(IgnoresEjection, IsLastAttempt);
}
