namespace ServiceMesh.Http;

/// <summary>The settings of the endpoints of one group: breaker, ejection and limit. A group does not expect them to change.</summary>
/// <param name="CircuitBreaker">The settings of each endpoint's breaker.</param>
/// <param name="Ejection">The settings of ejection.</param>
/// <param name="ConcurrencyPerEndpoint">The maximum number of attempts in flight at one endpoint.</param>
internal sealed record GroupOptions(CircuitBreakerOptions CircuitBreaker, OutlierEjectionOptions Ejection, int ConcurrencyPerEndpoint)
{
    public GroupOptions()
        : this(new(), new(), int.MaxValue)
    {
    }
}
