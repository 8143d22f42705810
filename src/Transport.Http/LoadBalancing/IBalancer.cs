using System.Collections.Immutable;

namespace ServiceMesh.Http;

/// <summary>
/// Chooses among endpoints. It is given snapshots and asked for one endpoint at a time. Thread-safe: picks run beside
/// each other and beside an update.
/// </summary>
/// <remarks>
/// What implementers owe: a pick does not allocate, does not wait for a lock, and returns an endpoint of the latest
/// snapshot that <see cref="Endpoint.CanTake"/> and was not tried; when all that can take were tried, one of those;
/// null when none can. Updates come one at a time. All endpoints of a snapshot have one priority: the caller sees to
/// priorities (<see cref="PriorityBalancer"/>).
/// </remarks>
/// <example>
/// <code source="samples/Snippets/Discovery.cs" region="balancer" />
/// </example>
public interface IBalancer
{
    /// <summary>These are the endpoints from now on; those that stay are the same objects as before.</summary>
    void Update(ImmutableArray<Endpoint> endpoints);

    /// <summary>Chooses the endpoint for one attempt, or null when there is none.</summary>
    Endpoint? Pick(in PickContext context);
}
