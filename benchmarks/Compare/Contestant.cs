namespace ServiceMesh.Benchmarks;

/// <summary>One way to send a record and get it back.</summary>
/// <param name="Name">The name, as in the JSON: <c>redis/bare-claim</c>.</param>
/// <param name="Peers">The names of the contestants of the same heat that it is compared with.</param>
/// <param name="StartAsync">Starts it with the given number of replicas of the answering side.</param>
internal sealed record Contestant(string Name, IReadOnlyList<string> Peers, Func<Brokers, int, Task<IEcho>> StartAsync)
{
    private static readonly string[] s_onRedis = ["redis/bare-claim", "redis/gilmour-protocol", "redis/moleculer", "nats/natsnet"];
    private static readonly Requirement[] s_redis = [Requirement.Redis];
    private static readonly Requirement[] s_nats = [Requirement.Nats];

    /// <summary>False for a contestant that cannot have replicas in one process.</summary>
    public bool HasReplicas { get; init; } = true;

    /// <summary>False for a contestant whose handler gets the caller's own object: nothing is encoded.</summary>
    public bool HasBody { get; init; } = true;

    /// <summary>What it needs on the machine besides .NET.</summary>
    public IReadOnlyList<Requirement> Needs { get; init; } = [];

    /// <summary>The part of the name before the slash.</summary>
    public string Transport => Name[..Name.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>The contestants of one heat take turns. A peer with its own transport runs in the heat of its competitors.</summary>
    public string Heat => Transport switch
    {
        "nats" => "redis",
        "grpc" => "http",
        var transport => transport,
    };

    /// <summary>All contestants, by heat.</summary>
    public static IReadOnlyList<Contestant> All { get; } =
    [
        new(
            "inmemory/servicemesh",
            ["inmemory/floor", "inmemory/masstransit"],
            (_, replicas) => MeshEcho.InMemoryAsync(passByReference: false, replicas)),
        new("inmemory/by-reference", ["inmemory/wolverine"], (_, replicas) => MeshEcho.InMemoryAsync(passByReference: true, replicas))
        {
            HasBody = false,
        },
        new("inmemory/floor", [], (_, _) => FloorEcho.StartAsync()) { HasReplicas = false },
        new("inmemory/masstransit", [], MassTransitEcho.StartAsync) { HasReplicas = false },
        new("inmemory/wolverine", [], WolverineEcho.StartAsync) { HasReplicas = false, HasBody = false },
        new("redis/servicemesh-native", s_onRedis, (brokers, replicas) => MeshEcho.RedisAsync("Native", brokers, replicas))
        {
            Needs = s_redis,
        },
        new("redis/servicemesh-sealed", ["redis/servicemesh-native"], MeshEcho.SealedAsync) { Needs = s_redis },
        new("redis/servicemesh-gilmour", s_onRedis, (brokers, replicas) => MeshEcho.RedisAsync("Gilmour", brokers, replicas))
        {
            Needs = s_redis,
        },
        new("redis/bare", [], (brokers, replicas) => BareRedisEcho.StartAsync(brokers, replicas, claims: false)) { Needs = s_redis },
        new("redis/bare-claim", [], (brokers, replicas) => BareRedisEcho.StartAsync(brokers, replicas, claims: true)) { Needs = s_redis },
        new("redis/gilmour-protocol", [], GilmourProtocolEcho.StartAsync) { Needs = s_redis },
        new("redis/moleculer", [], MoleculerEcho.StartAsync) { Needs = [Requirement.Redis, Requirement.Node, Requirement.Moleculer] },
        new("nats/natsnet", [], (brokers, replicas) => NatsEcho.StartAsync(direct: true, brokers, replicas)) { Needs = s_nats },
        new("nats/natsnet-default", [], (brokers, replicas) => NatsEcho.StartAsync(direct: false, brokers, replicas)) { Needs = s_nats },
        new("http/servicemesh-h1", ["http/bare-h1", "http/resilience-h1"], (_, replicas) => MeshEcho.HttpAsync(http2: false, replicas)),
        new(
            "http/servicemesh-h2c",
            ["http/bare-h2c", "http/resilience-h2c", "grpc/unary"],
            (_, replicas) => MeshEcho.HttpAsync(http2: true, replicas)),
        new("http/bare-h1", [], (_, replicas) => BareHttpEcho.StartAsync(http2: false, replicas)),
        new("http/bare-h2c", [], (_, replicas) => BareHttpEcho.StartAsync(http2: true, replicas)),
        new(
            "http/client-h1",
            ["http/bare-h1", "http/resilience-h1"],
            (_, replicas) => ResilientHttpEcho.StartAsync(http2: false, isMesh: true, replicas)),
        new(
            "http/client-h2c",
            ["http/bare-h2c", "http/resilience-h2c"],
            (_, replicas) => ResilientHttpEcho.StartAsync(http2: true, isMesh: true, replicas)),
        new("http/resilience-h1", [], (_, replicas) => ResilientHttpEcho.StartAsync(http2: false, isMesh: false, replicas)),
        new("http/resilience-h2c", [], (_, replicas) => ResilientHttpEcho.StartAsync(http2: true, isMesh: false, replicas)),
        new("grpc/unary", [], (_, replicas) => GrpcEcho.StartAsync(replicas)),
    ];
}

/// <summary>A contestant that is running. Thread-safe.</summary>
internal interface IEcho : IAsyncDisposable
{
    /// <summary>Sends the record and returns the one that comes back.</summary>
    Task<Reading> EchoAsync(Reading reading, CancellationToken cancellationToken);
}

/// <summary>A contestant whose caller is a separate process, which makes and measures the calls.</summary>
internal interface IForeignEcho : IEcho
{
    /// <summary>Lets the callers of that process send records of the given number of characters for the given time.</summary>
    Task<Measurement> MeasureAsync(int callers, int characters, TimeSpan time, CancellationToken cancellationToken);
}

/// <summary>The servers that contestants use.</summary>
/// <param name="Redis">Host and port of the server; empty when no contestant needs one.</param>
/// <param name="Nats">Host and port of the NATS server; empty when no contestant needs one.</param>
internal sealed record Brokers(string Redis, string Nats)
{
    /// <summary>
    /// A new prefix for the names of channels and keys of one contestant, so that neither other data on the server nor the claims
    /// of an earlier contestant disturb it.
    /// </summary>
    public static string NextPrefix() => $"bench-{Guid.NewGuid().ToString("N")[..8]}";
}

/// <summary>The small record that is sent and comes back: 43 bytes of JSON.</summary>
public sealed record Reading(string Month, int Day, double Degrees);
