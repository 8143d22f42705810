using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>An application by the conventions of .NET, with connection strings, shared connections, and other packages on Redis.</summary>
public sealed class ApplicationTests
{
    private static readonly RequestTopic<string, string> s_ask = new("application.ask");

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopAsync() => await _redis.DisposeAsync();

    [Test]
    public async Task A_connection_string_of_the_application_is_used_by_its_name()
    {
        await using var node = await StartAsync(
            services => services.AddRedisTransport(), ("ServiceMesh:Redis:ConnectionName", "cache"),
            ("ConnectionStrings:cache", _redis.Address));

        Assert.That(await node.Bus.RequestAsync(s_ask, "named").InTime(), Is.EqualTo("named"));
        Assert.That(await _redis.CommandAsync("EXISTS", $"mesh:member:{node.Bus.DescribeNode().Id}"), Is.EqualTo(1L));
    }

    [Test]
    public async Task A_connection_string_that_does_not_exist_is_named_at_start()
    {
        var refusal = await Assert.CatchAsync(
            () => StartAsync(mesh => mesh.AddRedisTransport(), ("ServiceMesh:Redis:ConnectionName", "cache")));

        Assert.That(
            refusal!.Message, Does.Contain("ServiceMesh:Redis:ConnectionName is 'cache', and ConnectionStrings:cache has no value"));
    }

    [Test]
    public async Task A_connection_string_beside_a_configuration_is_refused()
    {
        var refusal = await Assert.CatchAsync(() => StartAsync(
            mesh => mesh.AddRedisTransport(), ("ServiceMesh:Redis:ConnectionName", "cache"), ("ConnectionStrings:cache", _redis.Address),
            ("ServiceMesh:Redis:Configuration", _redis.Address)));

        Assert.That(refusal!.Message, Does.Contain("ServiceMesh:Redis:ConnectionName and ServiceMesh:Redis:Configuration are both set"));
    }

    [TestCase("127.0.0.1:1", "(ConnectionStrings:cache)")]
    [TestCase("127.0.0.1:1,nonsense=1", "ConnectionStrings:cache cannot be read")]
    public async Task A_connection_string_that_is_wrong_is_named_by_its_key(string value, string said)
    {
        var refusal = await Assert.CatchAsync(() => StartAsync(
            mesh => mesh.AddRedisTransport(), ("ServiceMesh:Redis:ConnectionName", "cache"), ("ConnectionStrings:cache", value),
            ("ServiceMesh:Redis:ConnectTimeout", "00:00:02")));

        Assert.That(refusal!.Message, Does.Contain(said));
    }

    [TestCase(null)]
    [TestCase("cache")]
    public async Task A_connection_of_the_container_is_used_and_left_open(string? key)
    {
        using var own = await ConnectionMultiplexer.ConnectAsync(_redis.Address);
        var node = await StartAsync(mesh =>
        {
            _ = key is null
                ? mesh.Services.AddSingleton<IConnectionMultiplexer>(own)
                : mesh.Services.AddKeyedSingleton<IConnectionMultiplexer>(key, own);
            mesh.AddRedisTransportFromServices(key);
        });

        Assert.That(await node.Bus.RequestAsync(s_ask, "shared").InTime(), Is.EqualTo("shared"));
        await node.DisposeAsync();
        Assert.That(own.IsConnected, Is.True);
    }

    [TestCase(null, "no IConnectionMultiplexer.")]
    [TestCase("cache", "no IConnectionMultiplexer with the key 'cache'.")]
    public async Task A_connection_that_the_container_does_not_have_is_named(string? key, string said)
    {
        var refusal = await Assert.CatchAsync<TransportException>(() => StartAsync(mesh => mesh.AddRedisTransportFromServices(key)));

        Assert.That(refusal!.Message, Does.Contain(said).And.Contain("AddRedisTransportFromServices"));
    }

    [Test]
    public async Task Two_connections_of_the_container_for_one_bus_are_refused()
    {
        var refusal = await Assert.CatchAsync<InvalidOperationException>(
            () => StartAsync(mesh => mesh.AddRedisTransportFromServices("a").AddRedisTransportFromServices("b")));

        Assert.That(refusal!.Message, Does.Contain("two connections"));
        await using var node = await StartAsync(mesh => mesh.AddRedisTransportFromServices("a").AddRedisTransportFromServices("a").Services
            .AddKeyedSingleton<IConnectionMultiplexer>("a", ConnectionMultiplexer.Connect(_redis.Address)));
    }

    [Test]
    public async Task A_cache_SignalR_and_data_protection_share_the_client_with_the_mesh()
    {
        var app = WebApplication.CreateSlimBuilder();
        app.WebHost.UseUrls("http://127.0.0.1:0");
        app.Configuration.AddInMemoryCollection([KeyValuePair.Create<string, string?>("ServiceMesh:Transport", "Redis")]);
        var own = await ConnectionMultiplexer.ConnectAsync(_redis.Address);
        app.Services.AddSingleton<IConnectionMultiplexer>(own);
        app.Services.AddStackExchangeRedisCache(
            cache => cache.ConnectionMultiplexerFactory = () => Task.FromResult<IConnectionMultiplexer>(own));
        app.Services.AddDataProtection().PersistKeysToStackExchangeRedis(own, "protection-keys");
        app.Services.AddSignalR().AddStackExchangeRedis(_redis.Address);
        app.Services.AddServiceMesh(app.Configuration.GetSection("ServiceMesh"))
            .AddRedisTransportFromServices().AddHandler(s_ask, (word, _) => word);
        await using var web = app.Build();
        web.MapHub<Hub>("/hub");
        await web.StartAsync().InTime();

        Assert.That(await web.Services.GetRequiredService<IServiceBus>().RequestAsync(s_ask, "mesh").InTime(), Is.EqualTo("mesh"));
        var cache = web.Services.GetRequiredService<IDistributedCache>();
        await cache.SetStringAsync("key", "cached").InTime();
        Assert.That(await cache.GetStringAsync("key").InTime(), Is.EqualTo("cached"));
        var protector = web.Services.GetDataProtector("test");
        Assert.That(protector.Unprotect(protector.Protect("protected")), Is.EqualTo("protected"));
        Assert.That(await _redis.CommandAsync("EXISTS", "protection-keys"), Is.EqualTo(1L));
        await web.Services.GetRequiredService<IHubContext<Hub>>().Clients.All.SendAsync("news").InTime();
        await web.StopAsync().InTime();
    }

    [Test]
    public void Our_package_takes_any_newer_client()
    {
        // What the compiler saw is the lowest version; an upper bound or an exact one would stop an application that has a newer one.
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "ServiceMesh.sln")))
        {
            folder = folder.Parent!;
        }

        var version = XDocument.Load(Path.Combine(folder.FullName, "Directory.Packages.props")).Descendants("PackageVersion")
            .Single(p => p.Attribute("Include")!.Value == "StackExchange.Redis").Attribute("Version")!.Value;

        Assert.That(version, Does.Match("^[0-9]+(\\.[0-9]+)+$"), "no brackets");
    }

    private static Task<TestNode> StartAsync(Action<IServiceMeshBuilder> add, params (string Key, string Value)[] settings) =>
        TestNode.StartAsync(
            mesh => add(mesh.AddHandler(s_ask, (word, _) => word)),
            [("Transport", "Redis"), .. settings.Where(s => s.Key.StartsWith("ServiceMesh:", StringComparison.Ordinal))
                .Select(s => (s.Key["ServiceMesh:".Length..], s.Value))],
            services => services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(
                settings.Select(s => KeyValuePair.Create<string, string?>(s.Key, s.Value))).Build())).InTime();
}
