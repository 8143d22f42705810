namespace ServiceMesh;

/// <summary>Whether a node takes new messages, and whether it still waits for its handlers. Thread-safe.</summary>
internal sealed class NodeState : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private volatile bool _isDraining;

    public NodeState() => Stopping = _stopping.Token;

    /// <summary>True while new messages are refused; messages in flight are finished.</summary>
    public bool IsDraining => _isDraining;

    /// <summary>Fires when the node has waited long enough for its handlers. Usable after the node is disposed.</summary>
    public CancellationToken Stopping { get; }

    public void BeginDrain() => _isDraining = true;

    public Task CancelHandlersAsync() => _stopping.CancelAsync();

    public void Dispose() => _stopping.Dispose();
}
