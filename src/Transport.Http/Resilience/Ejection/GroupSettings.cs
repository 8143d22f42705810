namespace ServiceMesh.Http;

/// <summary>How the endpoints of a group are broken and ejected. Not changed once a group uses it.</summary>
/// <param name="CircuitBreaker">Of each endpoint's breaker.</param>
/// <param name="Ejection">Of the group.</param>
internal sealed record GroupSettings(CircuitBreakerSettings CircuitBreaker, OutlierEjectionSettings Ejection)
{
    public GroupSettings()
        : this(new(), new())
    {
    }
}
