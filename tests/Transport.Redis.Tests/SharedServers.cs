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
    private static readonly Lazy<Task<RedisCluster>> s_cluster = new(() => RedisCluster.StartAsync());

    /// <summary>Three masters; takes some seconds when it is first asked for.</summary>
    public static Task<RedisCluster> ClusterAsync() => s_cluster.Value;

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        if (s_cluster.IsValueCreated)
        {
            await (await s_cluster.Value).DisposeAsync();
        }
    }
}
