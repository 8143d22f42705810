namespace ServiceMesh.Http;

/// <summary>How the endpoints of a group are limited, broken and ejected. Not changed once a group uses it.</summary>
/// <param name="CircuitBreaker">Of each endpoint's breaker.</param>
/// <param name="Ejection">Of the group.</param>
/// <param name="ConcurrencyPerEndpoint">Attempts under way at one endpoint.</param>
internal sealed record GroupOptions(CircuitBreakerOptions CircuitBreaker, OutlierEjectionOptions Ejection, int ConcurrencyPerEndpoint)
{
    public GroupOptions()
        : this(new(), new(), int.MaxValue)
    {
    }
}
