using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// The endpoints of the configured services as they are now, with state, load and circuit breaker. Use it to show them, or to open and
/// close a circuit by hand. There is one for each bus: a keyed service with the name of the bus (without a key for the default bus).
/// Thread-safe.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Resilience.cs" region="endpoints" />
/// </example>
public sealed class ServiceEndpoints
{
    private readonly Lock _lock = new();
    private ImmutableArray<(string Service, Func<ImmutableArray<Endpoint>> Endpoints)> _sources = [];

    internal ServiceEndpoints()
    {
    }

    /// <summary>
    /// The endpoints of a service: those that the bus calls, and those that HttpClients call, which are separate objects. Empty until the
    /// first addresses are known, and for a service that is not configured.
    /// </summary>
    /// <param name="service">The name of the service in the configuration; case does not matter.</param>
    public IReadOnlyList<Endpoint> Of(string service)
    {
        ArgumentNullException.ThrowIfNull(service);
        return [.. _sources.Where(s => s.Service.Equals(service, StringComparison.OrdinalIgnoreCase)).SelectMany(s => s.Endpoints())];
    }

    internal void Add(string service, Func<ImmutableArray<Endpoint>> endpoints)
    {
        lock (_lock)
        {
            _sources = _sources.Add((service, endpoints));
        }
    }
}
