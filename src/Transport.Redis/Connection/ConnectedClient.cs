using StackExchange.Redis;

namespace ServiceMesh.Redis;

/// <summary>One connection of the client library, and what was found out about its servers when it was made.</summary>
/// <param name="Multiplexer">The client's own.</param>
/// <param name="IsCluster">Whether the servers form a cluster.</param>
/// <param name="HasShardedChannels">Whether every server has sharded channels: Redis 7 and newer.</param>
internal sealed record ConnectedClient(IConnectionMultiplexer Multiplexer, bool IsCluster, bool HasShardedChannels)
{
    /// <summary>Database 0, also where a connection that was handed in has another one by default: all nodes use the same.</summary>
    public IDatabase Database { get; } = Multiplexer.GetDatabase(0);

    public ISubscriber Subscriber { get; } = Multiplexer.GetSubscriber();

    /// <summary>True when the client hears on connections that send nothing else: RESP2. With RESP3 one connection may do both.</summary>
    public bool HearsOnItsOwn { get; } = Multiplexer.GetServers().All(server => server.Protocol == RedisProtocol.Resp2);

    /// <summary>True when the receiver count of PUBLISH is that of all: there is one server.</summary>
    public bool PublishCountsAll { get; } = Multiplexer.GetEndPoints().Length == 1 && !IsCluster;

    /// <summary>The servers that were masters when the connection was made, in one line. Those of a cluster change by themselves.</summary>
    public string Masters { get; } = MastersOf(Multiplexer);

    /// <summary>The servers that are masters now, as far as the client knows.</summary>
    public string MastersNow => MastersOf(Multiplexer);

    private static string MastersOf(IConnectionMultiplexer multiplexer) => string.Join(", ", multiplexer.GetServers()
        .Where(server => server is { IsConnected: true, IsReplica: false }).Select(server => $"{server.EndPoint}").Order());
}
