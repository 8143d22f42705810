using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>Servers that refuse something the mesh needs: the start says what, in one sentence with the key and the remedy.</summary>
public sealed class BadInputTests
{
    [TestCase("-spublish", "'spublish'")]
    [TestCase("-ssubscribe", "'ssubscribe'")]
    [TestCase("-subscribe", "'subscribe'")]
    [TestCase("-publish", "'publish'")]
    [TestCase("-hset", "'hset'")]
    [TestCase("-zadd", "'zadd'")]
    [TestCase("-time", "'time'")]
    [TestCase("resetchannels", "one of the channels")]
    [TestCase("resetkeys", "one of the keys")]
    public async Task A_right_that_the_user_lacks_is_named(string rule, string right)
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.CommandAsync("ACL", "SETUSER", "mesh", "on", ">secret", "~*", "&*", "+@all", rule);

        var refusal = await RefusedAsync($"{redis.Address},user=mesh,password=secret");

        Assert.That(refusal, Does.Contain("NOPERM").And.Contain(right).And.Contain("docs/redis.md")
            .And.Contain("ServiceMesh:Redis:Configuration").And.Not.Contain("secret"));
    }

    [TestCase("-set", "'set'")]
    [TestCase("-hset", "'hset'")]
    [TestCase("-publish", "'publish'")]
    [TestCase("-psubscribe", "'psubscribe'")]
    public async Task A_right_that_the_user_lacks_on_the_Gilmour_wire_is_named(string rule, string right)
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.CommandAsync("ACL", "SETUSER", "mesh", "on", ">secret", "~*", "&*", "+@all", rule);

        var refusal = await RefusedAsync($"{redis.Address},user=mesh,password=secret", ("Redis:Wire", "Gilmour"));

        Assert.That(refusal, Does.Contain("NOPERM").And.Contain(right).And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [TestCase("PUBLISH")]
    [TestCase("SPUBLISH")]
    [TestCase("HSET")]
    [TestCase("TIME")]
    public async Task A_command_that_is_disabled_is_named(string command)
    {
        await using var redis = await RedisServer.StartAsync("--rename-command", command, "");

        Assert.That(await RefusedAsync(redis.Address), Does.Contain($"unknown command '{command}''. Enable it (rename-command)")
            .And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [TestCase("ACL SETUSER default -multi")]
    [TestCase("")]
    public async Task A_transaction_that_is_refused_or_disabled_is_named(string command)
    {
        await using var redis = await RedisServer.StartAsync(command.Length == 0 ? ["--rename-command", "MULTI", ""] : []);
        if (command.Length > 0)
        {
            await redis.CommandAsync(command.Split(' '));
        }

        Assert.That(await RefusedAsync(redis.Address), Does.Contain("Redis refuses 'multi' to the user 'default', or has it disabled")
            .And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [TestCase("", "hangs up at other commands, as Twemproxy does")]
    [TestCase(",proxy=Twemproxy", "is a Twemproxy, which has no publish/subscribe")]
    public async Task A_Twemproxy_is_refused(string setting, string said)
    {
        await using var proxy = ScriptedRedis.Start(command => command[0] is "PING" or "GET" ? null : "");

        Assert.That(await RefusedAsync($"{proxy.Address}{setting}"), Does.Contain(said)
            .And.Contain("Name the Redis servers themselves").And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [Test]
    public async Task Two_masters_in_one_list_are_refused()
    {
        await using var one = await RedisServer.StartAsync();
        await using var two = await RedisServer.StartAsync();

        Assert.That(await RefusedAsync($"{one.Address},{two.Address}"), Does.Contain(one.Address).And.Contain(two.Address)
            .And.Contain("are masters of their own").And.Contain("Name one of them").And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [Test]
    public async Task A_master_and_its_replica_in_one_list_are_warned_about()
    {
        await using var master = await RedisServer.StartAsync();
        await using var replica = await RedisServer.StartAsync();
        await replica.CommandAsync("REPLICAOF", "127.0.0.1", $"{master.Port}");
        await using var node = await RedisNode.StartAsync($"{master.Address},{replica.Address}");

        Assert.That(node.Log.Lines.Where(line => line.Contains("replica", StringComparison.Ordinal)), Has.One.Items);
        Assert.That(node.Log.Lines, Has.Some.Contains($"{replica.Address} is a replica").And.Contains("serviceName=")
            .And.Contains("ServiceMesh:Redis:Configuration"));
    }

    [TestCase("Native", "mesh:clock")]
    [TestCase("Gilmour")]
    public async Task A_start_leaves_nothing_behind_that_tried_the_rights(string wire, params string[] keys)
    {
        await using var redis = await RedisServer.StartAsync();
        await using (await RedisNode.StartAsync(redis.Address, null, ("Redis:Wire", wire)))
        {
            // Started, and stopped.
        }

        Assert.That(await redis.CommandAsync("KEYS", "*"), Is.EqualTo(keys));
    }

    private static async Task<string> RefusedAsync(string redis, params (string Key, string Value)[] settings) =>
        (await Assert.CatchAsync(() => RedisNode.StartAsync(
            redis,
            mesh => mesh.AddHandler(new RequestTopic<string, string>("bad.ask"), (word, _) => word)
                .AddHandler(new SignalPattern<string>("bad.*"), (_, _) => Task.CompletedTask),
            settings)))!.Message;
}
