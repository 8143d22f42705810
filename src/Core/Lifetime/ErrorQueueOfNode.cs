namespace ServiceMesh;

/// <summary>
/// The queue of a node as the container hands it out: opened when it is first used, and closed by the node after its
/// last report, not by the container.
/// </summary>
internal sealed class ErrorQueueOfNode(NodeLifetime node) : IErrorQueue
{
    public int Capacity => node.ErrorQueue.Capacity;

    public ValueTask<int> CountAsync(CancellationToken cancellationToken) => node.ErrorQueue.CountAsync(cancellationToken);

    public ValueTask<int> AddAsync(ErrorReport report, CancellationToken cancellationToken) =>
        node.ErrorQueue.AddAsync(report, cancellationToken);

    public ValueTask<IReadOnlyList<ErrorReport>> ReadAsync(int max, CancellationToken cancellationToken) =>
        node.ErrorQueue.ReadAsync(max, cancellationToken);

    public ValueTask<IReadOnlyList<TakenReport>> TakeAsync(int max, TimeSpan lease, CancellationToken cancellationToken) =>
        node.ErrorQueue.TakeAsync(max, lease, cancellationToken);

    public ValueTask<TakenReport?> TakeAsync(string id, TimeSpan lease, CancellationToken cancellationToken) =>
        node.ErrorQueue.TakeAsync(id, lease, cancellationToken);

    public ValueTask<bool> AcknowledgeAsync(TakenReport report, CancellationToken cancellationToken) =>
        node.ErrorQueue.AcknowledgeAsync(report, cancellationToken);

    public ValueTask<bool> ReleaseAsync(TakenReport report, CancellationToken cancellationToken) =>
        node.ErrorQueue.ReleaseAsync(report, cancellationToken);

    public async Task<ReplayResult> ReplayAsync(TakenReport report, RequestOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(report);
        options?.Check();
        if (!report.TryBeginReplay())
        {
            return new(ReplayOutcome.NotTaken, null, $"The report '{report.Report.Id}' was replayed before; take it again.");
        }

        var result = await node.ReplayAsync(report.Report, options, cancellationToken).ConfigureAwait(false);

        // Without the caller's token: what has been sent must not be there again.
        _ = result.Outcome == ReplayOutcome.Replayed
            ? await AcknowledgeAsync(report, CancellationToken.None).ConfigureAwait(false)
            : await ReleaseAsync(report, CancellationToken.None).ConfigureAwait(false);
        return result;
    }
}
