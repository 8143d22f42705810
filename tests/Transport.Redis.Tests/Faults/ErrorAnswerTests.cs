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

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task Without_memory_for_a_claim_a_request_ends_in_time_and_the_log_says_why(string wire) => await RefusesAsync(
        wire,
        refuse: redis => redis.SendAsync("CONFIG", "SET", "maxmemory", "1"),
        permit: redis => redis.SendAsync("CONFIG", "SET", "maxmemory", "0"),
        says: "OOM");

    [TestCase("Native")]
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
            "Native",
            refuse: async redis =>
            {
                await redis.SendAsync("REPLICAOF", "127.0.0.1", $"{master.Port}");
                await Failsafe.UntilAsync(async () => ((string)(await redis.SendAsync("INFO", "replication"))!).Contains("master_link_status:up", StringComparison.Ordinal));
            },
            permit: redis => redis.SendAsync("REPLICAOF", "NO", "ONE"),
            says: "");
    }

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task Without_the_right_to_publish_the_caller_is_told_what_Redis_said(string wire)
    {
        using var admin = await AdminAsync();
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Redis:Wire", wire), ("Request:Timeout", $"{s_timeout}"));
        await admin.SendAsync("ACL", "SETUSER", "default", "-publish");

        var reply = await caller.Bus.TryRequestAsync(s_ask, "anybody").InTime();
        var signal = await Assert.CatchAsync<ServiceMeshException>(() => caller.Bus.SignalAsync(new SignalTopic<string>("faults.news"), "anybody"));
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
            Assert.That(failure!.Message, Does.Contain("NOPERM").And.Contain("ServiceMesh:Redis:Configuration"));
            Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(10)));
        }
    }

    private async Task RefusesAsync(string wire, Func<RedisClient, Task> refuse, Func<RedisClient, Task> permit, string says)
    {
        using var admin = await AdminAsync();
        await using var server = await RedisNode.StartAsync(
            _redis.Address, mesh => mesh.AddHandler(s_ask, (word, _) => word), ("Redis:Wire", wire), ("Redis:ConnectTimeout", "00:00:01"));
        await using var caller = await RedisNode.StartAsync(_redis.Address, null, ("Redis:Wire", wire), ("Request:Timeout", $"{s_timeout}"));
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
