using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Receiving;

/// <summary>A subscriber that joins a channel which its node hears already.</summary>
public sealed class LateSubscriberTests
{
    private static readonly SignalTopic<int> s_news = new("news");

    [Test]
    public async Task Nothing_that_was_published_before_it_subscribed_arrives()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var subscriber = await StartAsync(redis, mesh => mesh.AddHandler(s_news, (_, _) => { }));
        await using var sender = await StartAsync(redis);
        for (var i = 0; i < 50; i++)
        {
            var heard = new Inbox<int>();
            await sender.Bus.SignalAsync(s_news, -1);
            var late = await subscriber.Bus.SubscribeAsync(s_news, heard.ReceiveAsync);
            await sender.Bus.SignalAsync(s_news, i);

            Assert.That(await heard.NextAsync(), Is.EqualTo(i));
            await late.DisposeAsync();
        }
    }

    private static Task<TestNode> StartAsync(RedisServer redis, Action<IServiceMeshBuilder>? configure = null) => TestNode.StartAsync(
        mesh =>
        {
            mesh.AddRedisTransport();
            configure?.Invoke(mesh);
        },
        [("Transport", "Redis"), ("Redis:Configuration", redis.Address)]).InTime();
}
