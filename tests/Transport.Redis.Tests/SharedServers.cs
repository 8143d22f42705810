using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests;

/// <summary>
/// What is too slow to start for each test: started by the first test that asks, stopped after the last one of the run.
/// Tests that share it have key prefixes of their own, and run one after the other.
/// </summary>
[SetUpFixture]
public sealed class SharedServers
{
    private static readonly Lazy<Task<RedisCluster>> s_cluster = new(() => RedisCluster.StartAsync(withReplicas: true));

    private static readonly Lazy<Task<RedisSentinels>> s_sentinels = new(() => RedisSentinels.StartAsync());
    private static readonly Lazy<Task<GarnetServer>> s_garnet = new(() => GarnetServer.StartAsync(SampleOf("WordCount")));

    /// <summary>Three masters with a replica each; takes some seconds when it is first asked for.</summary>
    public static Task<RedisCluster> ClusterAsync() => s_cluster.Value;

    /// <summary>A master, a replica and three Sentinels; takes some seconds when it is first asked for.</summary>
    public static Task<RedisSentinels> SentinelsAsync() => s_sentinels.Value;

    /// <summary>The sample's Garnet.</summary>
    public static Task<GarnetServer> GarnetAsync() => s_garnet.Value;

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (s_sentinels.IsValueCreated)
        {
            await (await s_sentinels.Value).DisposeAsync();
        }

        if (s_garnet.IsValueCreated)
        {
            await (await s_garnet.Value).DisposeAsync();
        }

        if (s_cluster.IsValueCreated)
        {
            await (await s_cluster.Value).DisposeAsync();
        }
    }

    // As it was built with these tests.
    private static string SampleOf(string name)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.GetFullPath(
            Path.Combine(own.FullName, "..", "..", "..", "..", "..", "samples", name, "bin", own.Parent!.Name, own.Name, $"{name}.dll"));
    }
}
