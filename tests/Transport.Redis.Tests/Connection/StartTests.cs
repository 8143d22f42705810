using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>
/// What the start says when Redis cannot be reached or refuses the node: which address, what is wrong,
/// which key to look at.
/// </summary>
public sealed class StartTests
{
    // ConnectTimeout of the nodes here, what finding out the reason may take, and a machine that is busy.
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(2 + 2 + 4);

    [Test]
    public async Task A_message_names_the_section_that_the_bus_was_given()
    {
        var section = new ConfigurationBuilder().AddInMemoryCollection(
        [
            new("OrdersMesh:Redis:KeyPrefix", "a b"), new("OrdersMesh:Redis:ConnectTimeout", "00:00:00"),
            new("OrdersMesh:Redis:Wire", "9"), new("OrdersMesh:Redis:Wier", "x"),
        ]).Build().GetSection("OrdersMesh");
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddServiceMesh("orders", section).AddRedisTransport();
        using var host = builder.Build();

        var refusal = (await Assert.CatchAsync(() => host.StartAsync()))!.Message;

        Assert.That(
            refusal,
            Does.Contain("OrdersMesh:Redis:KeyPrefix is 'a b'")
                .And.Contain("OrdersMesh:Redis:ConnectTimeout is 00:00:00; allowed are 00:00:00.001 to 1.00:00:00")
                .And.Contain("OrdersMesh:Redis:Wire is 9")
                .And.Contain("OrdersMesh:Redis:Wier is not a known key")
                .And.Not.Contain("ServiceMesh:"));
    }

    [TestCase("ConnectTimeout", "5", "ConnectTimeout is '5', which is 5 days. Did you mean 00:00:05?")]
    [TestCase("Wire", "Native, Gilmour", "Wire is 'Native, Gilmour', which are several values. Choose one of Native, Gilmour.")]
    public async Task A_value_that_would_be_misread_is_refused(string key, string value, string expected)
    {
        var section = new ConfigurationBuilder().AddInMemoryCollection([new($"Mesh:Redis:{key}", value)]).Build().GetSection("Mesh");
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddServiceMesh(section).AddRedisTransport();
        using var host = builder.Build();

        Assert.That((await Assert.CatchAsync(() => host.StartAsync()))!.Message, Does.StartWith($"Mesh:Redis:{expected}"));
    }

    [Test]
<<<<<<< HEAD
    public void The_transport_may_be_added_again_but_not_with_another_connection()
=======
    public void Modules_add_the_transport_again_to_change_options_but_not_its_connection()
>>>>>>> compose
    {
        var services = new ServiceCollection();
        services.AddServiceMesh().AddRedisTransport(options => options.KeyPrefix = "one");
        services.AddServiceMesh().AddRedisTransport(options => options.KeepTrying = true).AddRedisTransport();
        using var provider = services.BuildServiceProvider();
        var options = provider.GetRequiredService<IOptionsMonitor<RedisTransportOptions>>().Get("");

        Assert.That((options.KeyPrefix, options.KeepTrying), Is.EqualTo(("one", true)));
        Assert.That(provider.GetKeyedServices<TransportRegistration>(""), Has.Exactly(1).Items);

        Func<IServiceProvider, CancellationToken, Task<IConnectionMultiplexer>> connect = (_, _) => throw new InvalidOperationException();
        var mesh = services.AddServiceMesh().AddRedisTransport(connect);
        Assert.That(() => mesh.AddRedisTransport(connect), Throws.Nothing);
        Assert.That(
            () => mesh.AddRedisTransport((_, _) => throw new InvalidOperationException()),
            Throws.InvalidOperationException.With.Message.Contains("two connections"));
    }

    [Test]
    public async Task An_address_without_a_listener_is_named() =>
        await FailsAsync($"127.0.0.1:{FreePort.Next()}", "nothing listens", "running");

    [Test]
    public async Task A_host_name_that_cannot_be_resolved_is_named() =>
        await FailsAsync("redis.nowhere.invalid:6379", "host name", "not known");

    [Test]
    public async Task A_server_that_never_answers_is_named()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();

        await FailsAsync($"{silent.LocalEndpoint}", "does not answer");
    }

    [Test]
    public async Task A_server_that_is_not_Redis_is_named()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var served = ServeAsync();

        await FailsAsync($"{other.LocalEndpoint}", "not a Redis server");

        other.Stop();
        await served;

        async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await other.AcceptTcpClientAsync();
                    var request = new byte[1000];
                    _ = await client.GetStream().ReadAsync(request);
                    await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
                }
            }
            catch (Exception stopped)
                when (stopped is SocketException or ObjectDisposedException or IOException or InvalidOperationException)
            {
                // The end of the test.
            }
        }
    }

    [Test]
    public async Task A_password_that_is_missing_is_asked_for()
    {
        await using var redis = await RedisServer.StartAsync(new RedisServerOptions { Password = "secret" });

        await FailsAsync(redis.Address, "password", "none is given");
    }

    [Test]
    public async Task A_password_that_is_wrong_is_told_apart_and_not_repeated()
    {
        await using var redis = await RedisServer.StartAsync(new RedisServerOptions { Password = "secret" });

        var message = await FailsAsync($"{redis.Address},password=letmein", "refuses the password");

        Assert.That(message, Does.Not.Contain("letmein"));
    }

    [Test]
    public async Task The_right_password_lets_it_in()
    {
        await using var redis = await RedisServer.StartAsync(new RedisServerOptions { Password = "secret" });
        await using var node = await RedisNode.StartAsync(
            $"{redis.Address},password=secret", mesh => mesh.AddHandler(new RequestTopic<string, string>("start.ask"), (word, _) => word));

        Assert.That(await node.Bus.RequestAsync(new RequestTopic<string, string>("start.ask"), "in"), Is.EqualTo("in"));
    }

    [Test]
    public async Task A_user_who_may_do_nothing_is_told_what_Redis_says()
    {
        await using var redis = await RedisServer.StartAsync();
        using var admin = await redis.ConnectAsync();
        await admin.SendAsync("ACL", "SETUSER", "default", "-@all");

        await FailsAsync(redis.Address, "NOPERM");
    }

    [TestCase("Wire", "Foo", "Native, Gilmour")]
    [TestCase("Wire", "7", "Native, Gilmour")]
    [TestCase("ConnectTimeout", "5s", "hours:minutes:seconds")]
    [TestCase("ConnectTimeout", "00:00:00", "00:00:00.001 to 1.00:00:00")]
    [TestCase("KeyPrefix", "a:b", "letters, digits")]
    [TestCase("KeyPrefix", "", "letters, digits")]
    [TestCase("KeepTrying", "perhaps", "KeepTrying")]
    public async Task A_key_that_is_wrong_is_named_with_what_is_allowed(string key, string value, string says)
    {
        var refusal = await Assert.CatchAsync(() => RedisNode.StartAsync("127.0.0.1:1", null, ($"Redis:{key}", value)));

        Assert.That(refusal!.Message, Does.Contain($"ServiceMesh:Redis:{key}").And.Contain(says));
    }

    [Test]
    public async Task A_JSON_wire_with_a_non_JSON_serializer_is_refused_with_both_keys()
    {
        var refusal = await Assert.CatchAsync(() => RedisNode.StartAsync(
            "127.0.0.1:1", mesh => mesh.AddMessagePackSerializer(), ("Redis:Wire", "Gilmour"), ("Serializer", "MessagePack")));

        Assert.That(refusal!.Message, Does.Contain("ServiceMesh:Redis:Wire").And.Contain("ServiceMesh:Serializer is MessagePack"));
    }

    [TestCase("host:6379,password=abc,SECRET=x", "does not know")]
    [TestCase("", "ServiceMesh:Redis:Configuration")]
    public async Task A_configuration_that_cannot_be_read_names_the_key(string configuration, string says)
    {
        var failure = await Assert.CatchAsync(() => RedisNode.StartAsync(configuration));

        Assert.That(failure!.Message, Does.Contain("ServiceMesh:Redis:Configuration").And.Contain(says));
        Assert.That(failure.ToString(), Does.Not.Contain("SECRET"), "it may be a part of the password");
    }

    internal static async Task<string> FailsAsync(string configuration, params string[] says)
    {
        var watch = Stopwatch.StartNew();
        var failure = await Assert.CatchAsync<TransportException>(() => RedisNode.StartAsync(configuration));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(failure!.Message, Does.Contain(configuration.Split(',')[0]), "the address");
            Assert.That(failure.Message, Does.Contain("ServiceMesh:Redis:Configuration"), "the key");
            Assert.That(says.Where(text => !failure.Message.Contains(text, StringComparison.OrdinalIgnoreCase)), Is.Empty, failure.Message);
            Assert.That(watch.Elapsed, Is.LessThan(s_bound));
        }

        return failure!.Message;
    }
}
