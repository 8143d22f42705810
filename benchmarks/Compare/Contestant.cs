namespace ServiceMesh.Benchmarks;

/// <summary>One way to have a record echoed.</summary>
/// <param name="Name">As in the JSON: <c>redis/bare-claim</c>.</param>
/// <param name="Peers">Names of those of the same heat that it is put in relation to.</param>
/// <param name="StartAsync">Sets it up with so many replicas of the side that answers.</param>
internal sealed record Contestant(string Name, IReadOnlyList<string> Peers, Func<Ground, int, Task<IEcho>> StartAsync)
{
    private static readonly string[] s_onRedis = ["redis/bare-claim", "redis/gilmour-protocol", "redis/moleculer", "nats/natsnet"];
    private static readonly Requirement[] s_redis = [Requirement.Redis];
    private static readonly Requirement[] s_nats = [Requirement.Nats];

    /// <summary>False for one that has no replicas within one process.</summary>
    public bool HasReplicas { get; init; } = true;

    /// <summary>False for one whose handler gets the caller's own object: nothing is encoded.</summary>
    public bool HasBody { get; init; } = true;

    /// <summary>What it needs on the machine beside .NET.</summary>
    public IReadOnlyList<Requirement> Needs { get; init; } = [];

    /// <summary>What stands before the slash.</summary>
    public string Transport => Name[..Name.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>Contestants of one heat take turns. A peer with a transport of its own runs beside the one that it competes with.</summary>
    public string Heat => Transport switch
    {
        "nats" => "redis",
        "grpc" => "http",
        var transport => transport,
    };

    /// <summary>All of them, by heat.</summary>
    public static IReadOnlyList<Contestant> All { get; } =
    [
        new("inmemory/servicemesh", ["inmemory/floor", "inmemory/masstransit", "inmemory/wolverine"], MeshEcho.InMemoryAsync),
        new("inmemory/floor", [], (_, _) => FloorEcho.StartAsync()) { HasReplicas = false },
        new("inmemory/masstransit", [], MassTransitEcho.StartAsync) { HasReplicas = false },
        new("inmemory/wolverine", [], WolverineEcho.StartAsync) { HasReplicas = false, HasBody = false },
        new("redis/servicemesh-native", s_onRedis, (ground, replicas) => MeshEcho.RedisAsync("Native", ground, replicas))
        {
            Needs = s_redis,
        },
        new("redis/servicemesh-gilmour", s_onRedis, (ground, replicas) => MeshEcho.RedisAsync("Gilmour", ground, replicas))
        {
            Needs = s_redis,
        },
        new("redis/bare", [], (ground, replicas) => BareRedisEcho.StartAsync(ground, replicas, claims: false)) { Needs = s_redis },
        new("redis/bare-claim", [], (ground, replicas) => BareRedisEcho.StartAsync(ground, replicas, claims: true)) { Needs = s_redis },
        new("redis/gilmour-protocol", [], GilmourProtocolEcho.StartAsync) { Needs = s_redis },
        new("redis/moleculer", [], MoleculerEcho.StartAsync) { Needs = [Requirement.Redis, Requirement.Node, Requirement.Moleculer] },
        new("nats/natsnet", [], (ground, replicas) => NatsEcho.StartAsync(direct: true, ground, replicas)) { Needs = s_nats },
        new("nats/natsnet-default", [], (ground, replicas) => NatsEcho.StartAsync(direct: false, ground, replicas)) { Needs = s_nats },
        new("http/servicemesh-h1", ["http/bare-h1", "http/resilience-h1"], (_, replicas) => MeshEcho.HttpAsync(http2: false, replicas)),
        new(
            "http/servicemesh-h2c",
            ["http/bare-h2c", "http/resilience-h2c", "grpc/unary"],
            (_, replicas) => MeshEcho.HttpAsync(http2: true, replicas)),
        new("http/bare-h1", [], (_, replicas) => BareHttpEcho.StartAsync(http2: false, replicas)),
        new("http/bare-h2c", [], (_, replicas) => BareHttpEcho.StartAsync(http2: true, replicas)),
        new("http/resilience-h1", [], (_, replicas) => ResilientHttpEcho.StartAsync(http2: false, replicas)),
        new("http/resilience-h2c", [], (_, replicas) => ResilientHttpEcho.StartAsync(http2: true, replicas)),
        new("grpc/unary", [], (_, replicas) => GrpcEcho.StartAsync(replicas)),
    ];
}

/// <summary>A contestant that is running. Thread-safe.</summary>
internal interface IEcho : IAsyncDisposable
{
    /// <summary>Has the record sent back.</summary>
    Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken);
}

/// <summary>One whose caller is a process of its own: it makes the calls there, and measures them there.</summary>
internal interface IForeignEcho : IEcho
{
    /// <summary>Lets so many callers of that process send records with so many characters for so long.</summary>
    Task<Measurement> MeasureAsync(int callers, int characters, TimeSpan time, CancellationToken cancellationToken);
}

/// <summary>What contestants stand on.</summary>
/// <param name="Redis">Host and port of the server; empty when no contestant needs one.</param>
/// <param name="Nats">The same of the NATS server.</param>
internal sealed record Ground(string Redis, string Nats)
{
    /// <summary>
    /// Begins the names of channels and keys of one contestant, another one each time: what else is on the server does not
    /// disturb it, nor do the claims that one before it has left.
    /// </summary>
    public static string NextPrefix() => $"bench-{Guid.NewGuid().ToString("N")[..8]}";
}

/// <summary>The small record that is sent and comes back: 43 bytes of JSON.</summary>
public sealed record Reading(string Month, int Day, double Degrees);
