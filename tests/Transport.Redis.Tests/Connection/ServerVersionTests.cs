using NUnit.Framework;
using ServiceMesh.Redis.Tests.Faults;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>What the start says to a server that is too old, and to one that does not tell its version.</summary>
public sealed class ServerVersionTests
{
    [TestCase("5.0.14")]
    [TestCase("6.0.20")]
    public async Task A_server_that_is_too_old_is_refused_with_both_versions(string version)
    {
        await using var old = ScriptedRedis.Start(command => command[0] == "INFO"
            ? ScriptedRedis.Bulk($"redis_version:{version}\r\nredis_mode:standalone\r\nrole:master\r\n")
            : null);

        var refusal = await Assert.ThrowsAsync<NotSupportedException>(() => RedisNode.StartAsync(old.Address));

        Assert.That(refusal!.Message, Does.Contain(old.Address).And.Contain($"Redis {version}").And.Contain("6.2").And.Contain("Update"));
    }

    [Test]
    public async Task A_server_that_is_too_old_is_refused_even_when_the_bus_keeps_trying()
    {
        await using var old = ScriptedRedis.Start(command => command[0] == "INFO"
            ? ScriptedRedis.Bulk("redis_version:6.0.20\r\nredis_mode:standalone\r\nrole:master\r\n")
            : null);

        var refusal = await Assert.ThrowsAsync<NotSupportedException>(
            () => RedisNode.StartAsync(old.Address, null, ("Redis:KeepTrying", "true")));

        Assert.That(refusal!.Message, Does.Contain("6.0.20"));
    }
}
