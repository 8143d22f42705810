using Microsoft.Extensions.Logging;

namespace ServiceMesh;

/// <summary>
/// One entry of a node's log, as it is published on <see cref="MeshTopics.Log"/>. Its texts are the application's: a reader that shows
/// them on a terminal removes control characters. Immutable.
/// </summary>
public sealed record LogEntry
{
    /// <summary>When it was logged, by the clock of that node.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The id of the node that logged it.</summary>
    public required string Node { get; init; }

    /// <summary>How serious it is.</summary>
    public required LogLevel Level { get; init; }

    /// <summary>The category of the logger, at most 256 characters.</summary>
    public required string Category { get; init; }

    /// <summary>The id of the event; 0 when it has none.</summary>
    public int EventId { get; init; }

    /// <summary>The formatted message, at most 4,096 characters; a longer one ends with <c>…</c>.</summary>
    public required string Message { get; init; }

    /// <summary>The exception as text, at most 8,192 characters; null when there is none.</summary>
    public string? Exception { get; init; }

    /// <summary>The trace in which it was logged; null outside of one.</summary>
    public string? TraceId { get; init; }

    /// <summary>The span in which it was logged; null outside of one.</summary>
    public string? SpanId { get; init; }

    /// <summary>
    /// The named values of the scopes around it, as text, at most 16 of at most 256 characters each: within a handler <c>Topic</c>,
    /// <c>Sender</c>, <c>MessageId</c> and <c>TraceId</c>. Of two with one name it is the inner one.
    /// </summary>
    public IReadOnlyDictionary<string, string> Scope { get; init; } = new Dictionary<string, string>();

    /// <summary>How many entries of that node were lost before this one, because they came faster than they left.</summary>
    public long Lost { get; init; }
}
