using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Cluster;

/// <summary>A cluster of three masters with a replica each, which loses a master.</summary>
public sealed class ReplicatedClusterTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private static readonly RequestTopic<int, int> s_work = new("cluster.work");

    private RedisCluster _cluster = null!;

    [SetUp]
    public async Task StartAsync() => _cluster = await RedisCluster.StartAsync(nodeTimeout: 1_000, withReplicas: true);

    [TearDown]
    public async Task StopAsync() => await _cluster.DisposeAsync();

    private static readonly string[] s_failovers = TestLength.IsLong ? ["killed", "frozen"] : ["killed"];

    [TestCaseSource(nameof(s_failovers))]
    public async Task Nodes_serve_again_within_five_seconds_of_the_new_master(string master)
    {
        await using var server = await RedisNode.StartAsync(_cluster.Configuration, Serve);
        await using var caller = await RedisNode.StartAsync(_cluster.Configuration);
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));
        var lost = await OwnerOfAsync(server);

        await (master == "killed" ? _cluster.Masters[lost].KillAsync() : _cluster.Masters[lost].FreezeAsync());
        await PromotedAsync(lost);
        var (watch, busy) = (Stopwatch.StartNew(), LostTime.Total);
        await Failsafe.UntilAsync(async () =>
            (await caller.Bus.TryRequestAsync(s_work, 2)).IsSuccess && await HearsAsync(_cluster.Replicas[lost], server));
        var (took, limit) = (watch.Elapsed, LostTime.WidenSince(s_limit, busy));
        await TestContext.Out.WriteLineAsync($"Served on the new master after {took.TotalSeconds:0.0} s, of at most {limit}.");

        Assert.That(took, Is.LessThan(limit));
        await using var late = await RedisNode.StartAsync(_cluster.Configuration, Serve);
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 3);
    }

    private static void Serve(IServiceMeshBuilder mesh) => mesh.AddHandler(s_work, (number, _) => number + 1);

    private async Task<int> OwnerOfAsync(RedisNode node)
    {
        var hears = await Task.WhenAll(_cluster.Masters.Select(master => HearsAsync(master, node)));
        return Array.IndexOf(hears, true);
    }

    private static async Task<bool> HearsAsync(RedisServer master, RedisNode node) =>
        ((object?[])(await master.CommandAsync("PUBSUB", "SHARDCHANNELS", $"mesh:inbox:{node.Id}"))!).Length == 1;

    // The replica is a master, and the others know it.
    private Task PromotedAsync(int lost) => Failsafe.UntilAsync(async () =>
    {
        var replica = (string)(await _cluster.Replicas[lost].CommandAsync("CLUSTER", "MYID"))!;
        var others = _cluster.Masters.Where((_, i) => i != lost);
        var said = await Task.WhenAll(others.Append(_cluster.Replicas[lost]).Select(other => other.CommandAsync("CLUSTER", "NODES")));
        return said.All(nodes => $"{nodes}".Split('\n').Any(line =>
            line.StartsWith(replica, StringComparison.Ordinal) && line.Contains("master", StringComparison.Ordinal)));
    });
}
