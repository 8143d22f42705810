using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>Settings of the client that would separate two meshes on one Redis by halves, and the one that separates them.</summary>
public sealed class SeparationTests
{
    private static readonly RequestTopic<string, string> s_ask = new("separate.ask");

    [TestCase("defaultDatabase=2", "Native", "separate meshes with ServiceMesh:Redis:KeyPrefix")]
    [TestCase("defaultDatabase=2", "Gilmour", "give each Gilmour mesh a Redis of its own")]
    [TestCase("channelPrefix=blue:", "Native", "separate meshes with ServiceMesh:Redis:KeyPrefix")]
    [TestCase("channelPrefix=blue:", "Gilmour", "give each Gilmour mesh a Redis of its own")]
    public async Task A_setting_that_separates_by_halves_is_refused_at_start(string setting, string wire, string remedy)
    {
        var refusal = await Assert.CatchAsync(() => RedisNode.StartAsync($"127.0.0.1:1,{setting}", null, ("Redis:Wire", wire)));

        Assert.That(refusal!.Message, Does.Contain($"ServiceMesh:Redis:Configuration has ").And.Contain(setting.Split('=')[0])
            .And.Contain(remedy));
    }

    [Test]
    public async Task A_setting_that_separates_by_halves_is_refused_when_it_is_set_in_code()
    {
        var database = await RefusedAsync(options => options.ConfigureClient = client => client.DefaultDatabase = 1);
        var prefix = await RefusedAsync(
            options => options.ConfigureClient = client => client.ChannelPrefix = RedisChannel.Literal("blue:"));

        Assert.That(database, Does.Contain("ConfigureClient has defaultDatabase=1").And.Contain("ServiceMesh:Redis:KeyPrefix"));
        Assert.That(prefix, Does.Contain("ConfigureClient has a channelPrefix").And.Contain("ServiceMesh:Redis:KeyPrefix"));
    }

    [Test]
    public async Task A_connection_that_is_handed_in_is_refused_with_a_prefix_for_channels()
    {
        await using var redis = await RedisServer.StartAsync();
        using var own = await ConnectionMultiplexer.ConnectAsync($"{redis.Address},channelPrefix=blue:");

        var refusal = await RefusedAsync(options => options.Connect = _ => Task.FromResult<IConnectionMultiplexer>(own));

        Assert.That(refusal, Does.Contain("handed in has a channelPrefix").And.Contain("ServiceMesh:Redis:KeyPrefix"));
    }

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task A_connection_with_another_database_that_is_handed_in_serves_the_same_mesh(string wire)
    {
        await using var redis = await RedisServer.StartAsync();
        using var own = await ConnectionMultiplexer.ConnectAsync($"{redis.Address},defaultDatabase=3");
        await using var server = await RedisNode.StartAsync(
            "127.0.0.1:1",
            options => options.Connect = _ => Task.FromResult<IConnectionMultiplexer>(own),
            mesh => mesh.AddHandler(s_ask, (word, _) => word), ("Redis:Wire", wire));
        await using var caller = await RedisNode.StartAsync(redis.Address, null, ("Redis:Wire", wire));

        Assert.That(await caller.Bus.RequestAsync(s_ask, "one mesh").InTime(), Is.EqualTo("one mesh"));
        Assert.That((await caller.Bus.ListNodesAsync()).Select(n => n.Id), Is.EquivalentTo([server.Id, caller.Id]));
    }

    [Test]
    public async Task Two_prefixes_separate_two_meshes_completely()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var blue = await StartAsync("blue");
        await using var green = await StartAsync("green");
        await using var caller = await RedisNode.StartAsync(redis.Address, null, ("Redis:KeyPrefix", "blue"));

        Assert.That(await caller.Bus.RequestAsync(s_ask, "").InTime(), Is.EqualTo("blue"));
        Assert.That((await caller.Bus.ListNodesAsync()).Select(n => n.Id), Is.EquivalentTo([blue.Id, caller.Id]));
        var keys = (object?[])(await redis.CommandAsync("KEYS", "*"))!;
        var channels = (object?[])(await redis.CommandAsync("PUBSUB", "CHANNELS", "*"))!;
        Assert.That(keys.Concat(channels).Cast<string>().Where(name => !name.Contains("__", StringComparison.Ordinal)),
            Is.All.Matches("^(blue|green):"), "the client has channels of its own with underlines");

        Task<RedisNode> StartAsync(string prefix) => RedisNode.StartAsync(
            redis.Address, mesh => mesh.AddHandler(s_ask, (_, _) => prefix), ("Redis:KeyPrefix", prefix));
    }

    private static async Task<string> RefusedAsync(Action<RedisTransportOptions> options) =>
        (await Assert.CatchAsync<NotSupportedException>(() => RedisNode.StartAsync("127.0.0.1:1", options)))!.Message;
}
