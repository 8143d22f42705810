namespace ServiceMesh;

/// <summary>
/// A bounded list of error reports that outlives the process. When it is full the oldest report makes room, and that
/// is counted and logged. Thread-safe. Resolve it from the container (by the bus's key where there are several).
/// </summary>
/// <example>
/// <code source="samples/Snippets/Errors.cs" region="drain" />
/// </example>
public interface IErrorQueue
{
    /// <summary>How many reports it holds at most.</summary>
    int Capacity { get; }

    /// <summary>How many reports it holds now.</summary>
    ValueTask<int> CountAsync(CancellationToken cancellationToken = default);

    /// <summary>Adds a report. Returns how many old ones were dropped to make room.</summary>
    ValueTask<int> AddAsync(ErrorReport report, CancellationToken cancellationToken = default);

    /// <summary>The oldest reports, oldest first, left where they are.</summary>
    /// <param name="max">How many at most; at least 1.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    ValueTask<IReadOnlyList<ErrorReport>> ReadAsync(int max, CancellationToken cancellationToken = default);

    /// <summary>The oldest reports, oldest first, taken out for good.</summary>
    /// <param name="max">How many at most; at least 1.</param>
    /// <param name="cancellationToken">Stops waiting; what was taken out by then is returned.</param>
    ValueTask<IReadOnlyList<ErrorReport>> DrainAsync(int max, CancellationToken cancellationToken = default);
}
