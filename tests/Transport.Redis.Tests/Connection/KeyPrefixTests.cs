using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>Two meshes on one Redis, told apart by their prefixes alone.</summary>
public sealed class KeyPrefixTests
{
    private static readonly RequestTopic<string, string> s_ask = new("prefix.ask");
    private static readonly RequestTopic<string, string> s_onlyBlue = new("prefix.blue");
    private static readonly SignalTopic<string> s_news = new("prefix.news");
    private static readonly SignalPattern<string> s_everything = new("*");

    // One prefix is the beginning of the other, and has a dot as topics have.
    [TestCase("blue", "green")]
    [TestCase("mesh", "mesh.b")]
    [TestCase("mesh-1", "mesh_1")]
    public async Task Two_meshes_on_one_Redis_do_not_meet(string blue, string green)
    {
        await using var redis = await RedisServer.StartAsync();
        var (blueNews, greenNews) = (new Inbox<string>(), new Inbox<string>());
        await using var first = await StartAsync(blue, blueNews, mesh => mesh.AddHandler(s_onlyBlue, (word, _) => word));
        await using var second = await StartAsync(green, greenNews, null);

        var (toBlue, toGreen) = (await first.Bus.RequestAsync(s_ask, "x").InTime(), await second.Bus.RequestAsync(s_ask, "x").InTime());
        var toNobody = await second.Bus.TryRequestAsync(s_onlyBlue, "x").InTime();
        await first.Bus.SignalAsync(s_news, "of blue").InTime();
        await second.Bus.SignalAsync(s_news, "of green").InTime();
        await Failsafe.UntilAsync(() => blueNews.All.Count >= 2 && greenNews.All.Count >= 2);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((toBlue, toGreen), Is.EqualTo((blue, green)));
            Assert.That(toNobody.Status, Is.EqualTo(StatusCode.NotFound));
            Assert.That(blueNews.All, Is.EqualTo(["of blue", "of blue"]), "once by name and once by pattern");
            Assert.That(greenNews.All, Is.EqualTo(["of green", "of green"]));
            Assert.That((await first.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EqualTo([first.Id]));
            Assert.That((await second.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EqualTo([second.Id]));
            Assert.That(
                ((object?[])(await redis.CommandAsync("KEYS", "*"))!)
                    .Concat((object?[])(await redis.CommandAsync("PUBSUB", "CHANNELS"))!)
                    .Cast<string>(),
                Has.All.StartsWith($"{blue}:").Or.StartsWith($"{green}:").Or.StartsWith("__"), "nothing without a prefix");
        }

        Task<RedisNode> StartAsync(string prefix, Inbox<string> news, Action<IServiceMeshBuilder>? more) => RedisNode.StartAsync(
            redis.Address,
            mesh =>
            {
                mesh.AddHandler(s_ask, (_, _) => prefix).AddHandler(s_news, news.ReceiveAsync).AddHandler(s_everything, news.ReceiveAsync);
                more?.Invoke(mesh);
            },
            ("Redis:KeyPrefix", prefix));
    }
}
