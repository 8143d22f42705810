using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// Chooses among endpoints. A balancer receives snapshots of the endpoints and is asked for one endpoint at a time. Thread-safe: picks
/// run at the same time as other picks and as an update.
/// </summary>
/// <remarks>
/// Implementers owe this: a pick does not allocate, does not wait for a lock, and returns an endpoint of the latest snapshot that
/// <see cref="Endpoint.CanTake"/> and was not tried. If every endpoint that can take a request was tried, it returns one of those; if
/// none can take a request, null. Updates come one at a time. All endpoints of a snapshot have the same priority, because the caller
/// handles priorities (<see cref="PriorityBalancer"/>).
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Discovery.cs" region="balancer" />
/// </example>
public interface IBalancer
{
    /// <summary>Replaces the endpoints. Endpoints that stay are the same objects as before.</summary>
    void Update(ImmutableArray<Endpoint> endpoints);

    /// <summary>Chooses the endpoint of one attempt; null if there is none.</summary>
    Endpoint? Pick(in PickContext context);
}
