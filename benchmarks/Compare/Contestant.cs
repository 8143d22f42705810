namespace ServiceMesh.Benchmarks;

/// <summary>One way to have a record echoed; both sides of it run in this process.</summary>
/// <param name="Name">As in the JSON: <c>redis/bare-claim</c>.</param>
/// <param name="Peers">Names of those of the same transport that it is put in relation to.</param>
/// <param name="StartAsync">Sets it up with so many replicas of the side that answers.</param>
internal sealed record Contestant(string Name, IReadOnlyList<string> Peers, Func<Ground, int, Task<IEcho>> StartAsync)
{
    /// <summary>False for one that has no replicas within one process.</summary>
    public bool HasReplicas { get; init; } = true;

    /// <summary>What stands before the slash.</summary>
    public string Transport => Name[..Name.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>All of them, by transport.</summary>
    public static IReadOnlyList<Contestant> All { get; } =
    [
        new("inmemory/servicemesh", ["inmemory/floor", "inmemory/masstransit"], MeshEcho.InMemoryAsync),
        new("inmemory/floor", [], (_, _) => FloorEcho.StartAsync()) { HasReplicas = false },
        new("inmemory/masstransit", [], MassTransitEcho.StartAsync) { HasReplicas = false },
        new("redis/servicemesh-native", ["redis/bare-claim", "redis/gilmour-protocol"], (ground, replicas) => MeshEcho.RedisAsync("Native", ground, replicas)),
        new("redis/servicemesh-gilmour", ["redis/bare-claim", "redis/gilmour-protocol"], (ground, replicas) => MeshEcho.RedisAsync("Gilmour", ground, replicas)),
        new("redis/bare", [], (ground, replicas) => BareRedisEcho.StartAsync(ground, replicas, claims: false)),
        new("redis/bare-claim", [], (ground, replicas) => BareRedisEcho.StartAsync(ground, replicas, claims: true)),
        new("redis/gilmour-protocol", [], GilmourProtocolEcho.StartAsync),
        new("http/servicemesh-h1", ["http/bare-h1"], (_, replicas) => MeshEcho.HttpAsync(http2: false, replicas)),
        new("http/servicemesh-h2c", ["http/bare-h2c"], (_, replicas) => MeshEcho.HttpAsync(http2: true, replicas)),
        new("http/bare-h1", [], (_, replicas) => BareHttpEcho.StartAsync(http2: false, replicas)),
        new("http/bare-h2c", [], (_, replicas) => BareHttpEcho.StartAsync(http2: true, replicas)),
    ];
}

/// <summary>A contestant that is running. Thread-safe.</summary>
internal interface IEcho : IAsyncDisposable
{
    /// <summary>Has the record sent back.</summary>
    Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken);
}

/// <summary>What contestants stand on.</summary>
/// <param name="Redis">Host and port of the server; empty when no contestant needs one.</param>
internal sealed record Ground(string Redis)
{
    /// <summary>
    /// Begins the names of channels and keys of one contestant, another one each time: what else is on the server does not
    /// disturb it, nor do the claims that one before it has left.
    /// </summary>
    public static string NextPrefix() => $"bench-{Guid.NewGuid().ToString("N")[..8]}";
}

/// <summary>The small record that is sent and comes back: 43 bytes of JSON.</summary>
public sealed record Reading(string Month, int Day, double Degrees);
