using System.Diagnostics;

namespace ServiceMesh.Support;

/// <summary>A master, its replica, and three Sentinels that watch them, on free loopback ports.</summary>
public sealed class RedisSentinels : IAsyncDisposable
{
    /// <summary>The name under which the Sentinels know the master.</summary>
    public const string Service = "mesh-master";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("servicemesh-sentinel-");
    private readonly List<RedisServer> _sentinels = [];

    private RedisSentinels(RedisServer master, RedisServer replica) => (Master, Replica) = (master, replica);

    /// <summary>The master of the beginning.</summary>
    public RedisServer Master { get; }

    /// <summary>The one that becomes the master.</summary>
    public RedisServer Replica { get; }

    /// <summary>The addresses of the Sentinels, joined by commas.</summary>
    public string Addresses => string.Join(',', _sentinels.Select(sentinel => sentinel.Address));

    /// <summary>As <c>Redis:Configuration</c> takes it.</summary>
    public string Configuration => $"{Addresses},serviceName={Service}";

    /// <summary>Starts all; ends when each Sentinel knows the two others and the replica.</summary>
    /// <param name="certificates">Those of all of them, which then speak TLS only; null for plain TCP.</param>
    public static async Task<RedisSentinels> StartAsync(TestCertificates? certificates = null)
    {
        var data = new RedisServerOptions { Certificates = certificates };
        var all = new RedisSentinels(await RedisServer.StartAsync(data), await RedisServer.StartAsync(data));
        try
        {
            await all.Replica.CommandAsync("REPLICAOF", "127.0.0.1", $"{all.Master.Port}");
            await UntilAsync(async () => $"{await all.Replica.CommandAsync("INFO", "replication")}"
                .Contains("master_link_status:up", StringComparison.Ordinal));
            for (var number = 0; number < 3; number++)
            {
                var file = Path.Combine(all._folder.FullName, $"sentinel-{number}.conf");
                await File.WriteAllTextAsync(
                    file,
                    $"sentinel monitor {Service} 127.0.0.1 {all.Master.Port} 2\n"
                    // They would ask the master for its replicas after ten seconds only.
                    + $"sentinel known-replica {Service} 127.0.0.1 {all.Replica.Port}\n"
                    + $"sentinel down-after-milliseconds {Service} 1000\nsentinel failover-timeout {Service} 5000\n");
                all._sentinels.Add(await RedisServer.StartAsync(data with { Sentinel = file }));
            }

            await UntilAsync(async () => (await Task.WhenAll(all._sentinels.Select(KnowsAllAsync))).All(knows => knows));
            return all;
        }
        catch
        {
            await all.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes the Sentinels change the two, as an operator does. Ends when they have agreed.</summary>
    public Task FailoverAsync() => _sentinels[0].CommandAsync("SENTINEL", "FAILOVER", Service);

    /// <summary>Ends when the other server is a master.</summary>
    public Task PromotedAsync() => UntilAsync(async () =>
        $"{await Replica.CommandAsync("INFO", "replication")}".Contains("role:master", StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        foreach (var sentinel in _sentinels)
        {
            await sentinel.DisposeAsync();
        }

        await Replica.DisposeAsync();
        await Master.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static async Task<bool> KnowsAllAsync(RedisServer sentinel)
    {
        var info = $"{await sentinel.CommandAsync("INFO", "sentinel")}";
        return info.Contains("status=ok", StringComparison.Ordinal) && info.Contains("slaves=1,sentinels=3", StringComparison.Ordinal);
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var watch = Stopwatch.StartNew(); !await isSo();)
        {
            if (watch.Elapsed > TimeSpan.FromSeconds(30))
            {
                throw new TimeoutException("The Sentinels did not get there within 30 s.");
            }

            await Task.Delay(50);
        }
    }
}
