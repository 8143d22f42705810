using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>A master and a replica behind three real Sentinels.</summary>
public sealed class SentinelTests
{
    private static readonly RequestTopic<int, int> s_work = new("sentinel.work");

    private RedisSentinels _redis = null!;

    [SetUp]
    public async Task StartAsync() => _redis = await RedisSentinels.StartAsync();

    [TearDown]
    public async Task StopAsync() => await _redis.DisposeAsync();

    [TestCase("killed")]
    [TestCase("frozen")]
    [TestCase("changed by an operator")]
    public async Task Nodes_serve_again_within_seconds_of_the_new_master(string master)
    {
        await using var server = await RedisNode.StartAsync(_redis.Configuration, Serve);
        await using var caller = await RedisNode.StartAsync(_redis.Configuration);
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));
        Assert.That(await _redis.Master.CommandAsync("EXISTS", $"mesh:member:{server.Id}"), Is.EqualTo(1L));

        await (master switch
        {
            "killed" => _redis.Master.KillAsync(),
            "frozen" => _redis.Master.FreezeAsync(),
            _ => _redis.FailoverAsync(),
        });
        await _redis.PromotedAsync();
        var watch = Stopwatch.StartNew();
        await Failsafe.UntilAsync(async () =>
            (await caller.Bus.TryRequestAsync(s_work, 2)).IsSuccess && caller.Health.State == TransportState.Healthy
            && (await _redis.Replica.CommandAsync("PUBSUB", "SHARDNUMSUB", $"mesh:inbox:{server.Id}")) is object?[] { Length: 2 } counted
            && counted[1] is > 0L);
        await TestContext.Out.WriteLineAsync($"Served on the new master after {watch.Elapsed.TotalSeconds:0.0} s.");

        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(30)), "usually below 5 s; the machine may be busy");
        await using var late = await RedisNode.StartAsync(_redis.Configuration, Serve);
        Assert.That((await caller.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EquivalentTo([server.Id, caller.Id, late.Id]));
    }

    [Test]
    public async Task A_service_that_the_Sentinels_do_not_know_is_named()
    {
        var refusal = await RefusedAsync($"{_redis.Addresses},serviceName=other");

        Assert.That(refusal, Does.Contain("know no service 'other'").And.Contain("Fix serviceName")
            .And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [Test]
    public async Task A_Sentinel_without_a_service_name_is_refused() =>
        Assert.That(await RefusedAsync(_redis.Addresses), Does.Contain("is a Sentinel, and no service is named. Add serviceName=NAME")
            .And.Contain("Redis:Configuration"));

    [Test]
    public async Task A_server_that_is_not_a_Sentinel_is_refused_with_a_service_name() =>
        Assert.That(await RefusedAsync($"{_redis.Master.Address},serviceName=x"), Does.Contain("is not a Sentinel")
            .And.Contain("take serviceName out").And.Contain("ServiceMesh:Redis:Configuration"));

    private static async Task<string> RefusedAsync(string configuration) =>
        (await Assert.CatchAsync(() => RedisNode.StartAsync(configuration)))!.Message;

    private static void Serve(IServiceMeshBuilder mesh) => mesh.AddHandler(s_work, (number, _) => number + 1);
}
