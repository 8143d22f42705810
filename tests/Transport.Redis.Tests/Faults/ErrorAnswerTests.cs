using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Faults;

/// <summary>Redis is there and says no: each time the caller hears a status within its time, and a log says what Redis said.</summary>
public sealed class ErrorAnswerTests
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    private static readonly RequestTopic<string, string> s_ask = new("faults.ask");

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [TestCase("Gilmour")]
    public async Task Without_memory_for_a_claim_a_request_ends_in_time_and_the_log_says_why(string wire) => await RefusesAsync(
        wire,
        refuse: redis => redis.SendAsync("CONFIG", "SET", "maxmemory", "1"),
        permit: redis => redis.SendAsync("CONFIG", "SET", "maxmemory", "0"),
        says: "OOM");

    [TestCase("Gilmour")]
    public async Task Without_the_right_to_claim_a_request_ends_in_time_and_the_log_says_why(string wire) => await RefusesAsync(
        wire,
        refuse: redis => redis.SendAsync("ACL", "SETUSER", "default", "-set"),
        permit: redis => redis.SendAsync("ACL", "SETUSER", "default", "+set"),
        says: "NOPERM");

    [Test]
    public async Task On_a_server_that_only_reads_a_request_ends_in_time_and_the_log_says_why()
    {
        await using var master = await RedisServer.StartAsync();
        await RefusesAsync(
            "Gilmour",
            refuse: async redis =>
            {
                await redis.SendAsync("REPLICAOF", "127.0.0.1", $"{master.Port}");
                await Failsafe.UntilAsync(
                    async () => ((string)(await redis.SendAsync("INFO", "replication"))!)
                        .Contains("master_link_status:up", StringComparison.Ordinal));
            },
            permit: redis => redis.SendAsync("REPLICAOF", "NO", "ONE"),
            says: "");
    }

    [TestCase("maxmemory")]
    [TestCase("replica")]
    public async Task The_native_wire_moves_messages_where_Redis_takes_no_keys_and_health_says_so(string fault)
    {
        await using var master = await RedisServer.StartAsync();
        using var admin = await AdminAsync();
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word));
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        Assert.That(await caller.Bus.RequestAsync(s_ask, "before").InTime(), Is.EqualTo("before"));

        await (fault == "replica"
            ? admin.SendAsync("REPLICAOF", "127.0.0.1", $"{master.Port}")
            : admin.SendAsync("CONFIG", "SET", "maxmemory", "1"));
        await using var late = await caller.Bus
            .SubscribeAsync(new SignalTopic<string>("faults.late"), (_, _) => Task.CompletedTask)
            .InTime();

        await Failsafe.UntilAsync(() => caller.Health.State == TransportState.Degraded);
        Assert.That(caller.Health.Reason, Does.Contain(fault == "replica" ? "READONLY" : "OOM"));
        Assert.That(await caller.Bus.RequestAsync(s_ask, "still").InTime(), Is.EqualTo("still"));
    }

    [Test]
    public async Task Without_the_right_to_publish_a_request_is_503_with_what_Redis_said()
    {
        using var admin = await AdminAsync();
        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word));
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        Assert.That(await caller.Bus.RequestAsync(s_ask, "before").InTime(), Is.EqualTo("before"));

        await admin.SendAsync("ACL", "SETUSER", "default", "-spublish");
        var watch = Stopwatch.StartNew();
        var reply = await caller.Bus.TryRequestAsync(s_ask, "refused").InTime();
        var took = watch.Elapsed;
        var health = caller.Health;
        await admin.SendAsync("ACL", "SETUSER", "default", "+spublish");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(
                (reply.Status, reply.Failure?.NotProcessed),
                Is.EqualTo((StatusCode.Unavailable, (bool?)true)),
                reply.Failure?.Message);
            Assert.That(reply.Failure!.Message, Does.Contain("NOPERM"));
            Assert.That(took, Is.LessThan(TimeSpan.FromSeconds(10)), "at once, and a busy machine");
            Assert.That(health.State, Is.EqualTo(TransportState.Degraded));
        }

        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_ask, "after")).IsSuccess);
    }

    [TestCase("Gilmour")]
    public async Task Without_the_right_to_publish_the_caller_is_told_what_Redis_said(string wire)
    {
        using var admin = await AdminAsync();
        await using var caller = await RedisNode.StartAsync(
            _redis.Address, null, ("Redis:Wire", wire), ("Request:Timeout", $"{s_timeout}"));
        await admin.SendAsync("ACL", "SETUSER", "default", "-publish");

        var reply = await caller.Bus.TryRequestAsync(s_ask, "anybody").InTime();
        var signal = await Assert.CatchAsync<ServiceMeshException>(
            () => caller.Bus.SignalAsync(new SignalTopic<string>("faults.news"), "anybody"));
        await admin.SendAsync("ACL", "SETUSER", "default", "+publish");
        var permitted = await caller.Bus.TryRequestAsync(s_ask, "anybody").InTime();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(reply.Failure!.Message, Does.Contain("NOPERM"));
            Assert.That(signal!.Message, Does.Contain("NOPERM"));
            Assert.That(permitted.Status, Is.EqualTo(StatusCode.NotFound));
            Assert.That(caller.Waiting, Is.Zero);
        }
    }

    [TestCase("-subscribe -psubscribe")]
    [TestCase("resetchannels")]
    public async Task Without_the_right_to_subscribe_the_start_says_what_Redis_said(string rules)
    {
        using var admin = await AdminAsync();
        await admin.SendAsync(["ACL", "SETUSER", "default", .. rules.Split(' ')]);
        var watch = Stopwatch.StartNew();

        var failure = await Assert.CatchAsync<TransportException>(() => RedisNode.StartAsync(_redis.Address));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(failure!.Message, Does.Contain("NOPERM").And.Contain("Redis:Configuration"));
            Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(10)));
        }
    }

    [TestCase("-info")]
    [TestCase("-info -config -client -cluster -acl -replicaof -latency")]
    public async Task A_user_who_may_not_ask_about_the_server_can_use_it(string rules)
    {
        using var admin = await AdminAsync();
        await admin.SendAsync(["ACL", "SETUSER", "default", .. rules.Split(' ')]);

        await using var server = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word));
        await using var caller = await RedisNode.StartAsync(_redis.Address);

        Assert.That(await caller.Bus.RequestAsync(s_ask, "word").InTime(), Is.EqualTo("word"));
        Assert.That(caller.Health.State, Is.EqualTo(TransportState.Healthy), caller.Health.Reason);
    }

    private async Task RefusesAsync(string wire, Func<RedisClient, Task> refuse, Func<RedisClient, Task> permit, string says)
    {
        using var admin = await AdminAsync();
        await using var server = await RedisNode.StartAsync(
            _redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word), ("Redis:Wire", wire), ("Redis:ConnectTimeout", "00:00:01"));
        await using var caller = await RedisNode.StartAsync(
            _redis.Address, null, ("Redis:Wire", wire), ("Request:Timeout", $"{s_timeout}"));
        Assert.That(await caller.Bus.RequestAsync(s_ask, "before").InTime(), Is.EqualTo("before"));

        await refuse(admin);
        var watch = Stopwatch.StartNew();
        var reply = await caller.Bus.TryRequestAsync(s_ask, "refused").InTime();
        var took = watch.Elapsed;
        await permit(admin);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.Unavailable).Or.EqualTo(StatusCode.DeadlinePassed), reply.Failure?.Message);
            Assert.That(took, Is.LessThan(s_timeout + s_timeout));
            Assert.That(server.Log.Lines.Concat(caller.Log.Lines), Has.Some.Contains("faults.ask").And.Contains(says));
            Assert.That(caller.Waiting, Is.Zero);
        }

        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(s_ask, "after")).IsSuccess);
    }

    // What is taken from the default user is not taken from this one.
    private async Task<RedisClient> AdminAsync()
    {
        var admin = await _redis.ConnectAsync();
        await admin.SendAsync("ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all");
        await admin.SendAsync("AUTH", "admin", "admin");
        return admin;
    }
}
