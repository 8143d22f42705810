using NUnit.Framework;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>
/// A redis-server that speaks TLS only, with a password and a certificate of an authority that
/// this machine does not know.
/// </summary>
public sealed class TlsTests : IDisposable
{
    private readonly TestCertificates _certificates = new();
    private RedisServer _redis = null!;

    [OneTimeSetUp]
    public async Task StartRedisAsync() =>
        _redis = await RedisServer.StartAsync(new RedisServerOptions { Certificates = _certificates, Password = "secret" });

    [OneTimeTearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    public void Dispose() => _certificates.Dispose();

    // The authority is trusted as on a real machine: from the files of OpenSSL, which a process reads once.
    [Test]
    public async Task Where_the_authority_is_trusted_requests_travel_over_TLS()
    {
        var configuration = $"localhost:{_redis.Port},ssl=true,password=secret";
        var (server, started) = await ReplicaProcess.StartAsync(
            configuration, ["--ServiceMesh:NodeName", "encrypted"], _certificates.Authority);
        await using var serving = server;
        var (client, answer) = await ReplicaProcess.StartAsync(configuration, ["--Ask", "7"], _certificates.Authority);
        await using var asking = client;

        Assert.That(started, Is.EqualTo("ready"));
        Assert.That(answer, Is.EqualTo("answer: encrypted"));
    }

    [Test]
    public async Task An_authority_that_is_not_trusted_is_told_apart_from_a_password()
    {
        var message = await StartTests.FailsAsync($"localhost:{_redis.Port},ssl=true,password=secret", "certificate", "not trusted");

        Assert.That(message, Does.Not.Contain("password").IgnoreCase);
    }

    [Test]
    public async Task A_certificate_for_another_host_is_told_apart_too()
    {
        var (replica, says) = await ReplicaProcess.StartAsync(
            $"localhost:{_redis.Port},ssl=true,password=secret,sslHost=redis.example",
            ["--ServiceMesh:NodeName", "never"], _certificates.Authority);
        await using var ended = replica;

        Assert.That(
            says,
            Does.StartWith("failed: ").And.Contain("certificate").And.Contain("redis.example")
                .And.Contain("ServiceMesh:Redis:Configuration"));
    }

    [Test]
    public async Task A_wrong_password_behind_TLS_is_not_blamed_on_certificates()
    {
        var (replica, says) = await ReplicaProcess.StartAsync(
            $"localhost:{_redis.Port},ssl=true,password=wrong", ["--ServiceMesh:NodeName", "never"], _certificates.Authority);
        await using var ended = replica;

        Assert.That(says, Does.StartWith("failed: ").And.Contain("refuses the password").And.Not.Contain("certificate"));
    }

    [Test]
    public async Task A_client_without_TLS_is_told_to_try_it() =>
        await StartTests.FailsAsync($"localhost:{_redis.Port},password=secret", "expect TLS", "ssl=true");

    [Test]
    public async Task A_client_with_TLS_at_a_plain_port_is_told_to_leave_it()
    {
        await using var plain = await RedisServer.StartAsync();

        await StartTests.FailsAsync($"localhost:{plain.Port},ssl=true", "TLS", "take ssl=true out");
    }
}
