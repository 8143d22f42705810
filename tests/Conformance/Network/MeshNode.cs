using ServiceMesh.Support;

namespace ServiceMesh.Conformance;

/// <summary>One node of a test's network. Whatever is awaited through it ends within the failsafe time.</summary>
public sealed class MeshNode : IAsyncDisposable
{
    private readonly TestNode _node;

    internal MeshNode(TestNode node)
    {
        _node = node;
        Bus = new FailsafeBus(node.Bus);
    }

    public IServiceBus Bus { get; }

    public string Id => Bus.DescribeNode().Id;

    public IErrorQueue ErrorQueue => _node.ErrorQueue;

    public IServiceProvider Services => _node.Services;

    /// <summary>Drains and disconnects, as a host does on Ctrl-C.</summary>
    public Task StopAsync() => _node.StopAsync().InTime();

    public async ValueTask DisposeAsync() => await _node.DisposeAsync().AsTask().InTime();
}
