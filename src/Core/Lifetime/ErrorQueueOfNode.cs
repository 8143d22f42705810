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

    public ValueTask<IReadOnlyList<ErrorReport>> DrainAsync(int max, CancellationToken cancellationToken) =>
        node.ErrorQueue.DrainAsync(max, cancellationToken);
}
