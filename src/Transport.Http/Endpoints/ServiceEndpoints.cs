using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// The endpoints of the configured services as they are now, with their state, load and circuit breaker: to look at, and to open
/// and close circuits by hand. One for each bus, a keyed service with the bus's name (the default bus's without a key). Thread-safe.
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
    /// The endpoints of a service: those that the bus calls, and those that HttpClients call, which are objects of their own. Empty when there are none yet.
    /// </summary>
    /// <param name="service">Its name in the configuration.</param>
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
