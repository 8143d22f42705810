using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Connection;
using ServiceMesh.Support;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>A master and a replica behind three real Sentinels.</summary>
public sealed class SentinelTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private static readonly RequestTopic<int, int> s_work = new("sentinel.work");

    // Two of them end at the same new connection, so one stands for both where time is short.
    private static readonly string[] s_failovers =
        TestLength.IsLong ? ["killed", "frozen", "changed by an operator"] : ["killed", "changed by an operator"];

    [TestCaseSource(nameof(s_failovers))]
    public async Task Nodes_serve_again_within_five_seconds_of_the_new_master(string master)
    {
        await using var redis = await RedisSentinels.StartAsync();
        await using var server = await RedisNode.StartAsync(redis.Configuration, Serve);
        await using var caller = await RedisNode.StartAsync(redis.Configuration);
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));
        Assert.That(await redis.Master.CommandAsync("EXISTS", $"mesh:member:{server.Id}"), Is.EqualTo(1L));

        await (master switch
        {
            "killed" => redis.Master.KillAsync(),
            "frozen" => redis.Master.FreezeAsync(),
            _ => redis.FailoverAsync(),
        });
        await redis.PromotedAsync();
        var (watch, busy) = (Stopwatch.StartNew(), LostTime.Total);
        await Failsafe.UntilAsync(async () =>
            (await caller.Bus.TryRequestAsync(s_work, 2)).IsSuccess && caller.Health.State == TransportState.Healthy
            && (await redis.Replica.CommandAsync("PUBSUB", "SHARDNUMSUB", $"mesh:inbox:{server.Id}")) is object?[] { Length: 2 } counted
            && counted[1] is > 0L);
        var (took, limit) = (watch.Elapsed, LostTime.WidenSince(s_limit, busy));
        await TestContext.Out.WriteLineAsync($"Served on the new master after {took.TotalSeconds:0.0} s, of at most {limit}.");

        Assert.That(took, Is.LessThan(limit));
        await using var late = await RedisNode.StartAsync(redis.Configuration, Serve);
        Assert.That((await caller.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EquivalentTo([server.Id, caller.Id, late.Id]));
    }

    [Test]
    public async Task Sentinels_and_servers_with_TLS_serve_before_and_after_a_failover()
    {
        using var certificates = new TestCertificates();
        await using var redis = await RedisSentinels.StartAsync(certificates);
        await using var server = await StartAsync(Serve);
        await using var caller = await StartAsync(null);
        Assert.That(await caller.Bus.RequestAsync(s_work, 1).InTime(), Is.EqualTo(2));

        await redis.Master.KillAsync();
        await redis.PromotedAsync();

        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_work, 2)).IsSuccess
            && caller.Health.State == TransportState.Healthy && server.Health.State == TransportState.Healthy);

        Task<RedisNode> StartAsync(Action<IServiceMeshBuilder>? configure) => RedisNode.StartAsync(
            $"{redis.Configuration},ssl=true",
            options => options.ConfigureClient = client => client.TrustIssuer(certificates.Authority), configure);
    }

    [Test]
    public async Task A_service_that_the_Sentinels_do_not_know_is_named()
    {
        var refusal = await RefusedAsync($"{(await SharedServers.SentinelsAsync()).Addresses},serviceName=other");

        Assert.That(refusal, Does.Contain("know no service 'other'").And.Contain("Fix serviceName")
            .And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [Test]
    public async Task A_Sentinel_without_a_service_name_is_refused() =>
        Assert.That(await RefusedAsync((await SharedServers.SentinelsAsync()).Addresses),
            Does.Contain("is a Sentinel, and no service is named. Add serviceName=NAME")
            .And.Contain("Redis:Configuration"));

    [Test]
    public async Task A_server_that_is_not_a_Sentinel_is_refused_with_a_service_name() =>
        Assert.That(await RefusedAsync($"{(await SharedServers.SentinelsAsync()).Master.Address},serviceName=x"),
            Does.Contain("is not a Sentinel")
            .And.Contain("take serviceName out").And.Contain("ServiceMesh:Redis:Configuration"));

    [TestCase("")]
    [TestCase(",password=of-the-servers")]
    public async Task A_master_that_is_named_and_cannot_be_reached_is_the_one_in_the_message(string login)
    {
        await using var redis = await RedisSentinels.StartAsync();
        await redis.Replica.KillAsync();
        await redis.Master.KillAsync();

        Assert.That(await RefusedAsync(redis.Configuration + login), Does.Contain($"nothing listens at {redis.Master.Address}"));
    }

    [Test]
    public async Task A_watch_whose_listener_failed_can_be_closed()
    {
        var sentinels = await SharedServers.SentinelsAsync();
        var (node, context) = await ContextProbe.StartAsync();
        await using var own = node;
        var watch = new SentinelWatch(ConfigurationOptions.Parse(sentinels.Configuration), "key", context);
        var told = new TaskCompletionSource();

        watch.Look(new IPEndPoint(IPAddress.Loopback, 1), _ =>
        {
            told.SetResult();
            throw new InvalidOperationException("of the listener");
        });
        await told.Task.InTime();

        Assert.That(async () => await watch.CloseAsync().InTime(), Throws.Nothing);
    }

    private static async Task<string> RefusedAsync(string configuration) =>
        (await Assert.CatchAsync(() => RedisNode.StartAsync(configuration)))!.Message;

    private static void Serve(IServiceMeshBuilder mesh) => mesh.AddHandler(s_work, (number, _) => number + 1);
}
