using NUnit.Framework;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>Users of Redis's access lists at start, and passwords that must not show in any message.</summary>
public sealed class SecretTests
{
    [Test]
    public async Task A_user_without_rights_is_told_so_and_not_that_its_password_is_wrong()
    {
        await using var redis = await RedisServer.StartAsync();
        await AddUserAsync(redis, "-@all");

        var message = await StartTests.FailsAsync($"{redis.Address},user=app,password=letmein", "NOPERM");

        Assert.That(message, Does.Not.Contain("letmein").And.Not.Contain("refuses the"));
    }

    [Test]
    public async Task A_user_with_a_wrong_password_is_named_and_the_password_is_not()
    {
        await using var redis = await RedisServer.StartAsync();
        await AddUserAsync(redis, "+@all");

        using var admin = await redis.ConnectAsync();
        await admin.SendAsync("ACL", "SETUSER", "default", "off");

        var message = await StartTests.FailsAsync($"{redis.Address},user=app,password=wrongword", "user 'app'", "WRONGPASS");

        Assert.That(message, Does.Not.Contain("wrongword"));
    }

    [Test]
    public async Task A_node_does_not_start_as_the_default_user_when_its_own_is_refused()
    {
        await using var redis = await RedisServer.StartAsync();
        await AddUserAsync(redis, "+@all");

        var failure = await Assert.CatchAsync<TransportException>(
            () => RedisNode.StartAsync($"{redis.Address},user=app,password=wrongword"));

        Assert.That(failure!.ToString(), Does.Contain("user 'app'").And.Contain("'default'")
            .And.Contain("ServiceMesh:Redis:Configuration").And.Not.Contain("wrongword"));
    }

    [Test]
    public async Task A_user_with_the_right_password_is_let_in()
    {
        await using var redis = await RedisServer.StartAsync();
        await AddUserAsync(redis, "+@all");

        await using var node = await RedisNode.StartAsync($"{redis.Address},user=app,password=letmein");

        Assert.That(node.Health.State, Is.EqualTo(TransportState.Healthy), node.Health.Reason);
    }

    [TestCase("letmein")]
    [TestCase("a-password-that-is-longer-than-what-a-server-repeats-of-it")]
    public async Task A_server_that_repeats_its_arguments_does_not_bring_the_password_into_a_message(string password)
    {
        // As Redis says it where AUTH is renamed; it cuts what it repeats.
        await using var server = ScriptedRedis.Start(command => command[0] is "AUTH" or "HELLO" or "PING" or "ECHO" or "INFO"
            ? $"-ERR unknown command '{command[0]}', with args beginning with: {Repeat(command)}\r\n"
            : null);

        var failure = await Assert.CatchAsync<TransportException>(() => RedisNode.StartAsync($"{server.Address},password={password}"));

        Assert.That(failure!.ToString(), Does.Contain(server.Address).And.Not.Contain(password[..7]));
    }

    [TestCase("host:6379,password=abc,SECRET")]
    [TestCase("host:6379,password=abc,SECRET:1")]
    [TestCase("host:6379,password=abc,SECRET=x")]
    [TestCase("host:6379,password=abc,x=SECRET")]
    [TestCase("host:6379,password=abc,keepAlive=SECRET")]
    [TestCase("host:6379,password=abc,ssl=SECRET")]
    [TestCase("host:6379,password=abc,defaultDatabase=SECRET,more")]
    public async Task The_rest_of_a_password_with_a_comma_is_not_repeated(string configuration)
    {
        var failure = await Assert.CatchAsync(() => RedisNode.StartAsync(configuration));

        Assert.That(failure!.Message, Does.Contain("ServiceMesh:Redis:Configuration").And.Contain("contains a comma"));
        Assert.That(failure.ToString(), Does.Not.Contain("SECRET"));
    }

    private static string Repeat(string[] command)
    {
        var all = string.Concat(command.Skip(1).Select(word => $"'{word}' "));
        return all[..Math.Min(all.Length, 40)];
    }

    private static async Task AddUserAsync(RedisServer redis, string rights)
    {
        using var admin = await redis.ConnectAsync();
        await admin.SendAsync("ACL", "SETUSER", "app", "on", ">letmein", "~*", "&*", rights);
    }
}
