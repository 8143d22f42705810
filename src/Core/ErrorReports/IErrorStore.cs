namespace ServiceMesh.Transports;

/// <summary>
/// Where a queue of error reports lies: the file of a node, or what a transport brings. A bounded list that outlives the process; when
/// it is full the oldest report makes room. A report leaves it in two steps, take and acknowledge, so that one whose taker dies is
/// there again. Thread-safe. What cannot be done now throws <see cref="TransportException"/> or <see cref="IOException"/>.
/// </summary>
public interface IErrorStore
{
    /// <summary>How many reports it holds at most.</summary>
    int Capacity { get; }

    /// <summary>How many reports it holds now, taken ones included.</summary>
    ValueTask<int> CountAsync(CancellationToken cancellationToken = default);

    /// <summary>Adds a report. Returns how many old ones were dropped to make room.</summary>
    ValueTask<int> AddAsync(ErrorReport report, CancellationToken cancellationToken = default);

    /// <summary>The oldest reports, oldest first, left where they are; taken ones included.</summary>
    /// <param name="max">How many at most; at least 1.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    ValueTask<IReadOnlyList<ErrorReport>> ReadAsync(int max, CancellationToken cancellationToken = default);

    /// <summary>
    /// Takes the oldest reports that are not taken, oldest first. Each stays in the list and is given to no other taker until it is
    /// acknowledged or released, or its time is over.
    /// </summary>
    /// <param name="max">How many at most; at least 1.</param>
    /// <param name="lease">For how long each is taken; more than zero, at most 1 day.</param>
    /// <param name="cancellationToken">Stops waiting; what was taken by then is there again when its time is over.</param>
    ValueTask<IReadOnlyList<TakenReport>> TakeAsync(int max, TimeSpan lease, CancellationToken cancellationToken = default);

    /// <summary>Takes one report. Null when it is not in the list, or is taken.</summary>
    /// <param name="id">The id of the report, <see cref="ErrorReport.Id"/>.</param>
    /// <param name="lease">For how long it is taken; more than zero, at most 1 day.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    ValueTask<TakenReport?> TakeAsync(string id, TimeSpan lease, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes a taken report for good. False when that was not possible: its time is over, or it has made room for others.
    /// </summary>
    ValueTask<bool> AcknowledgeAsync(TakenReport report, CancellationToken cancellationToken = default);

    /// <summary>Gives a taken report back, so that others may take it at once. False when its time is over already.</summary>
    ValueTask<bool> ReleaseAsync(TakenReport report, CancellationToken cancellationToken = default);
}
