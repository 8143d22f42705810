using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>A user with the rights of the line in docs/redis.md and no others.</summary>
public sealed class DocumentedUserTests
{
    private static readonly RequestTopic<string, string> s_ask = new("user.ask");
    private static readonly RequestTopic<string, string> s_fail = new("user.fail");
    private static readonly SignalTopic<string> s_news = new("user.news");

    [TestCase("Native")]
    [TestCase("Gilmour")]
    public async Task A_user_with_the_documented_rights_has_all_of_the_mesh(string wire)
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.CommandAsync(DocumentedUser.Line(wire));
        if (wire == "Native")
        {
            await redis.CommandAsync("ACL", "SETUSER", "mesh", "&mesh:signal:user.*"); // of the handler by pattern
        }

        var heard = new Inbox<string>();
        var configuration = $"{redis.Address},user=mesh,password=PASSWORD";
        (string, string)[] settings = [("Redis:Wire", wire), ("ErrorPolicy", "Queue")];
        await using var server = await RedisNode.StartAsync(
            configuration,
            mesh => mesh.AddHandler(s_ask, (word, _) => word + "!")
                .AddHandler(s_fail, string (_, _) => throw new InvalidOperationException("no"))
                .AddHandler(new SignalPattern<string>("user.*"), heard.ReceiveAsync)
                .AddHandler(s_news, heard.ReceiveAsync, options => options.Group = "readers"),
            settings);
        await using var caller = await RedisNode.StartAsync(configuration, null, settings);

        Assert.That(await RefusedAsync(redis), Is.Empty, "at start");
        Assert.That(await caller.Bus.RequestAsync(s_ask, "hello").InTime(), Is.EqualTo("hello!"));
        Assert.That((await caller.Bus.TryRequestAsync(s_fail, "x").InTime()).Status, Is.EqualTo(StatusCode.HandlerFailed));
        await caller.Bus.SignalAsync(s_news, "rain").InTime();
        Assert.That(await heard.NextAsync(2), Is.EqualTo(["rain", "rain"]));
        Assert.That(await caller.Bus.ListNodesAsync().InTime(), Has.Count.EqualTo(2));
        var subscription = await caller.Bus.SubscribeAsync(MeshTopics.Errors, (_, _) => Task.CompletedTask).InTime();
        await subscription.DisposeAsync();

        await Failsafe.UntilAsync(async () => await caller.ErrorQueue.CountAsync() == 1);
        var released = (await caller.ErrorQueue.TakeAsync(1)).Single();
        Assert.That(await caller.ErrorQueue.ReleaseAsync(released), Is.True);
        var taken = (await caller.ErrorQueue.TakeAsync(1)).Single();
        Assert.That(await caller.ErrorQueue.AcknowledgeAsync(taken), Is.True);

        await server.DisposeAsync();
        await caller.DisposeAsync();
        Assert.That(await RefusedAsync(redis), Is.Empty);
    }

    private static async Task<string[]> RefusedAsync(RedisServer redis) =>
    [
        .. ((object?[])(await redis.CommandAsync("ACL", "LOG"))!).Cast<object?[]>()
            .Select(entry => $"{entry[3]} {entry[5]} {entry[7]}")
            .Where(refused => !refused.EndsWith("config|get", StringComparison.Ordinal)), // the client does without it
    ];
}
