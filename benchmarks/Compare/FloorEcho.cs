using System.Threading.Tasks.Sources;

namespace ServiceMesh.Benchmarks;

/// <summary>
/// The lower bound of the cost in memory: the same work without a bus. The bus's own serializer encodes and decodes JSON twice,
/// the work changes to the thread pool once, and the caller awaits one task.
/// </summary>
internal sealed class FloorEcho : IEcho
{
    private readonly JsonMessageSerializer _json = new();

    public static Task<IEcho> StartAsync() => Task.FromResult<IEcho>(new FloorEcho());

    public async Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken)
    {
        var hop = new Hop(_json, SerializerSet.Encode(_json, reading));
        ThreadPool.UnsafeQueueUserWorkItem(hop, preferLocal: false);
        var answer = await new ValueTask<byte[]>(hop, 0).ConfigureAwait(false);
        return _json.Deserialize<Reading>(answer)!;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class Hop(JsonMessageSerializer json, byte[] request) : IThreadPoolWorkItem, IValueTaskSource<byte[]>
    {
        private ManualResetValueTaskSourceCore<byte[]> _core;

        public void Execute() => _core.SetResult(SerializerSet.Encode(json, json.Deserialize<Reading>(request)));

        public byte[] GetResult(short token) => _core.GetResult(token);

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);
    }
}
