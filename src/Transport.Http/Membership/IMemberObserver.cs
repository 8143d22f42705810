namespace ServiceMesh.Http;

/// <summary>Receives what the watches of members learn. Thread-safe.</summary>
internal interface IMemberObserver
{
    /// <summary>A member described its node; null if the node has left. Called by the member's own watch only.</summary>
    /// <returns>Completes when routes take the description into account.</returns>
    Task LearnAsync(Member member, NodeDocument? document, CancellationToken cancellationToken);

    /// <summary>A member has become reachable or unreachable.</summary>
    /// <returns>Completes when routes take that into account.</returns>
    Task ChangedAsync(CancellationToken cancellationToken);
}
