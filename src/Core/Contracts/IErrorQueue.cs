namespace ServiceMesh;

/// <summary>
/// The queue of error reports as operators use it: look at it, replay a message, remove a report. Resolve it from the container (by the
/// bus's key where there are several). Thread-safe.
/// </summary>
/// <example>
/// <code source="samples/Snippets/Errors.cs" region="take" />
/// </example>
public interface IErrorQueue : IErrorStore
{
    /// <summary>
    /// Sends the message of a taken report again, to its topic, with the id of the first message in the header
    /// <see cref="Headers.ReplayOf"/>, by which a handler recognizes what it has done before. A signal goes to all subscribers again.
    /// The report is removed when a handler may have run, and released when certainly none did.
    /// </summary>
    /// <param name="report">Taken for longer than the replay may last. It is replayed once.</param>
    /// <param name="options">Timeout and more headers; null for the configured defaults.</param>
    /// <param name="cancellationToken">
    /// Stops waiting. Whether a handler ran is not known then: the report is there again when the time for which it was taken is over.
    /// </param>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    Task<ReplayResult> ReplayAsync(TakenReport report, RequestOptions? options = null, CancellationToken cancellationToken = default);
}

/// <summary>What operators do with one report.</summary>
public static class ErrorQueueExtensions
{
    private static readonly TimeSpan s_lease = TimeSpan.FromMinutes(5);

    /// <summary>Takes the oldest reports for five minutes.</summary>
    /// <inheritdoc cref="IErrorStore.TakeAsync(int, TimeSpan, CancellationToken)"/>
    public static ValueTask<IReadOnlyList<TakenReport>> TakeAsync(
        this IErrorQueue queue, int max, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queue);
        return queue.TakeAsync(max, s_lease, cancellationToken);
    }

    /// <summary>Sends the message of one report again. See <see cref="IErrorQueue.ReplayAsync"/>.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="id">The id of the report.</param>
    /// <param name="options">
    /// Timeout and more headers; null for the configured defaults.
    /// </param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public static async Task<ReplayResult> ReplayAsync(
        this IErrorQueue queue, string id, RequestOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queue);
        var lease = options?.Timeout + TimeSpan.FromMinutes(1) is { } longer && longer > s_lease ? longer : s_lease;
        return await queue.TakeAsync(id, lease, cancellationToken).ConfigureAwait(false) is { } taken
            ? await queue.ReplayAsync(taken, options, cancellationToken).ConfigureAwait(false)
            : new(ReplayOutcome.NotTaken, null, $"There is no report '{id}' in the queue, or another operator has taken it.");
    }

    /// <summary>Removes one report for good. False when it is not there, or is taken.</summary>
    public static async ValueTask<bool> RemoveAsync(this IErrorQueue queue, string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(queue);
        return await queue.TakeAsync(id, s_lease, cancellationToken).ConfigureAwait(false) is { } taken
            && await queue.AcknowledgeAsync(taken, cancellationToken).ConfigureAwait(false);
    }
}
