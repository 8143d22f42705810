using Microsoft.Extensions.DependencyInjection;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>The model over a real Redis: each node has a network of its own to it.</summary>
internal sealed class RedisModel : FaultModel
{
    private readonly TimeProvider[]? _clocks;
    private readonly bool _isSealed;

    private RedisModel(RedisServer redis, int seed, TimeProvider[]? clocks, bool isSealed)
        : base(seed) => (Redis, _clocks, _isSealed) = (redis, clocks, isSealed);

    public RedisServer Redis { get; }

    protected override TimeSpan ServesAgain => TimeSpan.FromSeconds(5);

    /// <param name="seed">Determines the choices of the callers and the duration of the handlers.</param>
    /// <param name="timeouts">The timeouts of requests: see <see cref="FaultModel.BeginAsync"/>.</param>
    /// <param name="clocks">The clock of each node; null for that of the machine.</param>
    /// <param name="isSealed">Whether the mesh has a key.</param>
    public static async Task<RedisModel> StartAsync(
        int seed, TimeSpan[]? timeouts = null, TimeProvider[]? clocks = null, bool isSealed = false)
    {
        var model = new RedisModel(await RedisServer.StartAsync(), seed, clocks, isSealed);
        for (var node = 0; node < Nodes; node++)
        {
            model.AddNetwork(model.Redis.Port);
        }

        await model.BeginAsync(timeouts);
        return model;
    }

    protected override Task<TestNode> StartNodeAsync(int node, Action<IServiceMeshBuilder> configure) => TestNode.StartAsync(
        mesh => configure(mesh.AddRedisTransport()),
        [
            ("Transport", "Redis"), ("Redis:Configuration", Networks[node].Address), ("ErrorPolicy", "Ignore"),
            ("DrainTimeout", "00:00:03"),
            .. _isSealed ? ((string, string)[])[("Redis:Keys:0", Convert.ToBase64String(new byte[32]))] : [],
        ],
        services => services.AddSingleton(_clocks?[node] ?? TimeProvider.System));

    protected override ValueTask DisposeServersAsync() => Redis.DisposeAsync();
}
