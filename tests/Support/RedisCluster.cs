using System.Diagnostics;
using System.Globalization;

namespace ServiceMesh.Support;

/// <summary>A real Redis Cluster of three masters on free loopback ports, all slots assigned, each with a replica if asked.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Slots = 16384;

    // Gossip takes a second or two, and a node serves only after it has run for two seconds.
    private static readonly TimeSpan s_formLimit = TimeSpan.FromSeconds(25);

    private readonly List<RedisServer> _masters = [];
    private readonly List<RedisServer> _replicas = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("servicemesh-cluster-");

    public IReadOnlyList<RedisServer> Masters => _masters;

    /// <summary>The replica of each master, in the same order; empty without replicas.</summary>
    public IReadOnlyList<RedisServer> Replicas => _replicas;

    /// <summary>All masters, as <c>Redis:Configuration</c> takes them.</summary>
    public string Configuration => string.Join(',', _masters.Select(master => master.Address));

    /// <param name="nodeTimeout">How long a master may be away before the others take it for failed, in milliseconds.</param>
    /// <param name="withReplicas">Whether each master has a replica, which takes its place when it fails.</param>
    public static async Task<RedisCluster> StartAsync(int nodeTimeout = 5000, bool withReplicas = false)
    {
        var cluster = new RedisCluster();
        try
        {
            cluster._masters.AddRange(await Task.WhenAll(Enumerable.Range(0, 3).Select(n => cluster.StartServerAsync(n, nodeTimeout))));
            if (withReplicas)
            {
                cluster._replicas.AddRange(
                    await Task.WhenAll(Enumerable.Range(3, 3).Select(n => cluster.StartServerAsync(n, nodeTimeout))));
            }

            await cluster.FormAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Deletes all keys, so that tests that share the cluster do not affect each other.</summary>
    public Task FlushAsync() => Task.WhenAll(_masters.Select(master => master.CommandAsync("FLUSHALL")));

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _masters.Concat(_replicas))
        {
            await server.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private Task<RedisServer> StartServerAsync(int number, int nodeTimeout) => RedisServer.StartAsync(
        "--cluster-enabled", "yes", "--cluster-port", $"{FreePort.Next()}", "--cluster-node-timeout", $"{nodeTimeout}",
        "--cluster-allow-replica-migration", "no", "--dir", _folder.FullName, "--cluster-config-file", $"nodes-{number}.conf",
        "--dbfilename", $"dump-{number}.rdb");

    private async Task FormAsync()
    {
        for (var i = 0; i < _masters.Count; i++)
        {
            var (first, next) = (Slots * i / _masters.Count, Slots * (i + 1) / _masters.Count);
            await _masters[i].CommandAsync("CLUSTER", "ADDSLOTSRANGE", $"{first}", $"{next - 1}");
            await _masters[i].CommandAsync("CLUSTER", "SET-CONFIG-EPOCH", $"{i + 1}");
        }

        foreach (var other in _masters.Skip(1).Concat(_replicas))
        {
            var busPort = (string)(await other.CommandAsync("CONFIG", "GET", "cluster-port") as object?[])![1]!;
            await _masters[0].CommandAsync("CLUSTER", "MEET", "127.0.0.1", $"{other.Port}", busPort);
        }

        await UntilAsync(async () => (await Task.WhenAll(_masters.Concat(_replicas).Select(IsFormedAsync))).All(formed => formed));
        foreach (var (master, replica) in _masters.Zip(_replicas))
        {
            await replica.CommandAsync("CLUSTER", "REPLICATE", (string)(await master.CommandAsync("CLUSTER", "MYID"))!);
        }

        // A replica that is behind its master is not promoted, and a server that does not know it does not vote for it.
        await UntilAsync(async () =>
            (await Task.WhenAll(_replicas.Select(IsUpToDateAsync))).All(up => up)
            && (await Task.WhenAll(_masters.Select(KnowsReplicasAsync))).All(knows => knows));
    }

    private static async Task<bool> IsUpToDateAsync(RedisServer replica) =>
        $"{await replica.CommandAsync("INFO", "replication")}".Contains("master_link_status:up", StringComparison.Ordinal);

    private async Task<bool> KnowsReplicasAsync(RedisServer master) =>
        $"{await master.CommandAsync("CLUSTER", "NODES")}".Split("slave ").Length - 1 == _replicas.Count;

    private async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var waited = Stopwatch.StartNew(); !await isSo();)
        {
            if (waited.Elapsed > s_formLimit)
            {
                throw new InvalidOperationException(
                    $"The cluster did not form within {s_formLimit}: {await _masters[0].CommandAsync("CLUSTER", "INFO")}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    // Each server must know all slots and both other masters. Otherwise it could not redirect a client.
    private async Task<bool> IsFormedAsync(RedisServer server)
    {
        var info = ((string)(await server.CommandAsync("CLUSTER", "INFO"))!).Split("\r\n")
            .Select(line => line.Split(':')).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
        return info["cluster_state"] == "ok"
            && info["cluster_slots_ok"] == Slots.ToString(CultureInfo.InvariantCulture)
            && info["cluster_known_nodes"] == $"{_masters.Count + _replicas.Count}";
    }
}
