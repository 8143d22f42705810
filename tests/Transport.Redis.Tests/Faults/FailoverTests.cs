using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>A master and its replica change places while nodes are connected to both.</summary>
public sealed class FailoverTests
{
    private static readonly RequestTopic<int, int> s_work = new("failover.work");

    private RedisServer _first = null!;
    private RedisServer _second = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _first = await RedisServer.StartAsync();
        _second = await RedisServer.StartAsync();
        await FollowAsync(_second, _first);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [Test]
    public async Task Nodes_serve_again_soon_after_the_replica_has_become_the_master()
    {
        var both = $"{_first.Address},{_second.Address}";
        await using var server = await RedisNode.StartAsync(both, Serve);
        await using var caller = await RedisNode.StartAsync(both);
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));

        await _second.CommandAsync("REPLICAOF", "NO", "ONE");
        await FollowAsync(_first, _second);
        var watch = Stopwatch.StartNew();
        await Failsafe.UntilAsync(async () =>
            (await caller.Bus.TryRequestAsync(s_work, 2)).IsSuccess
            && (long)(await _second.CommandAsync("PUBSUB", "SHARDNUMSUB", $"mesh:inbox:{server.Id}") as object?[])![1]! > 0);
        await TestContext.Out.WriteLineAsync($"Served on the new master after {watch.Elapsed.TotalSeconds:0.0} s.");
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(14)), "a node writes to the directory every five seconds");

        await Failsafe.UntilAsync(() => caller.Health.State == TransportState.Healthy);

        // What is announced from now on is on the new master.
        await using var late = await RedisNode.StartAsync(both, Serve);
        Assert.That((await caller.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EquivalentTo([server.Id, caller.Id, late.Id]));
    }

    [Test]
    public async Task Nodes_serve_again_soon_after_the_master_has_died_and_its_replica_was_promoted()
    {
        var both = $"{_first.Address},{_second.Address}";
        await using var server = await RedisNode.StartAsync(both, Serve);
        await using var caller = await RedisNode.StartAsync(both);
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));

        await _first.DisposeAsync();
        await _second.CommandAsync("REPLICAOF", "NO", "ONE");
        var watch = Stopwatch.StartNew();
        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_work, 2)).IsSuccess);
        await TestContext.Out.WriteLineAsync($"Served on the new master after {watch.Elapsed.TotalSeconds:0.0} s.");

        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(14)));
    }

    private static void Serve(IServiceMeshBuilder mesh) => mesh.AddHandler(s_work, (number, _) => number + 1);

    private static async Task FollowAsync(RedisServer replica, RedisServer master)
    {
        await replica.CommandAsync("REPLICAOF", "127.0.0.1", $"{master.Port}");
        await Failsafe.UntilAsync(async () =>
            ((string)(await replica.CommandAsync("INFO", "replication"))!).Contains("master_link_status:up", StringComparison.Ordinal));
    }
}
