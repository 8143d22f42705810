namespace ServiceMesh;

/// <summary>What became of a message that was to be replayed.</summary>
public enum ReplayOutcome
{
    /// <summary>
    /// It was sent, and the report is removed. That its handler failed again made a report of its own; see
    /// <see cref="ReplayResult.Status"/>.
    /// </summary>
    Replayed,

    /// <summary>The report is not in the queue, is taken by another, or was replayed before. Nothing was sent.</summary>
    NotTaken,

    /// <summary>The report does not have what the message needs, such as its whole body. It stays in the queue; nothing was sent.</summary>
    NotReplayable,

    /// <summary>No handler ran: none is there, or it refused. The report stays in the queue, and may be replayed later.</summary>
    NotProcessed,
}

/// <summary>The end of a replay.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Status">The status of the answer; 200 for a signal that was received; null when nothing was sent.</param>
/// <param name="Detail">A sentence; null when all went well.</param>
public sealed record ReplayResult(ReplayOutcome Outcome, StatusCode? Status = null, string? Detail = null);
