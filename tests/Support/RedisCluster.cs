using System.Diagnostics;
using System.Globalization;

namespace ServiceMesh.Support;

/// <summary>A real Redis Cluster of three masters without replicas on free loopback ports, all slots assigned.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Slots = 16384;

    // Gossip takes a second or two, and a node serves only after it has run for two seconds.
    private static readonly TimeSpan s_formLimit = TimeSpan.FromSeconds(25);

    private readonly List<RedisServer> _masters = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("servicemesh-cluster-");

    public IReadOnlyList<RedisServer> Masters => _masters;

    /// <summary>All masters, as <c>Redis:Configuration</c> takes them.</summary>
    public string Configuration => string.Join(',', _masters.Select(master => master.Address));

    /// <param name="nodeTimeout">How long a master may be away before the others take it for failed, in milliseconds.</param>
    public static async Task<RedisCluster> StartAsync(int nodeTimeout = 5000)
    {
        var cluster = new RedisCluster();
        try
        {
            await Task.WhenAll(Enumerable.Range(0, 3).Select(number => cluster.StartMasterAsync(number, nodeTimeout)));
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
        foreach (var master in _masters)
        {
            await master.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private async Task StartMasterAsync(int number, int nodeTimeout)
    {
        var master = await RedisServer.StartAsync(
            "--cluster-enabled", "yes", "--cluster-port", $"{FreePort.Next()}", "--cluster-node-timeout", $"{nodeTimeout}",
            "--dir", _folder.FullName, "--cluster-config-file", $"nodes-{number}.conf");
        lock (_masters)
        {
            _masters.Add(master);
        }
    }

    private async Task FormAsync()
    {
        for (var i = 0; i < _masters.Count; i++)
        {
            var (first, next) = (Slots * i / _masters.Count, Slots * (i + 1) / _masters.Count);
            await _masters[i].CommandAsync("CLUSTER", "ADDSLOTSRANGE", $"{first}", $"{next - 1}");
            await _masters[i].CommandAsync("CLUSTER", "SET-CONFIG-EPOCH", $"{i + 1}");
        }

        foreach (var other in _masters.Skip(1))
        {
            var busPort = (string)(await other.CommandAsync("CONFIG", "GET", "cluster-port") as object?[])![1]!;
            await _masters[0].CommandAsync("CLUSTER", "MEET", "127.0.0.1", $"{other.Port}", busPort);
        }

        var waited = Stopwatch.StartNew();
        while (!(await Task.WhenAll(_masters.Select(IsFormedAsync))).All(formed => formed))
        {
            if (waited.Elapsed > s_formLimit)
            {
                throw new InvalidOperationException(
                    $"The cluster did not form within {s_formLimit}: {await _masters[0].CommandAsync("CLUSTER", "INFO")}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50));
        }
    }

    // Each master must know all slots and both other masters. Otherwise it could not redirect a client.
    private async Task<bool> IsFormedAsync(RedisServer master)
    {
        var info = ((string)(await master.CommandAsync("CLUSTER", "INFO"))!).Split("\r\n")
            .Select(line => line.Split(':')).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
        return info["cluster_state"] == "ok"
            && info["cluster_slots_ok"] == Slots.ToString(CultureInfo.InvariantCulture)
            && info["cluster_known_nodes"] == "3";
    }
}
