using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;
using StackExchange.Redis;

namespace ServiceMesh.Redis.Tests.Connection;

/// <summary>An application that has a connection already.</summary>
public sealed class HandedInTests
{
    private static readonly RequestTopic<string, string> s_ask = new("handed.ask");
    private static readonly string s_nowhere = "redis.nowhere.invalid:1";

    [Test]
    public async Task A_connection_that_is_handed_in_is_used_and_left_open()
    {
        await using var redis = await RedisServer.StartAsync();
        using var own = await ConnectionMultiplexer.ConnectAsync(redis.Address);
        var heard = new TaskCompletionSource<string>();
        await own.GetSubscriber().SubscribeAsync(RedisChannel.Literal("application"), (_, value) => heard.SetResult(value!));
        await using var node = await RedisNode.StartAsync(
            s_nowhere,
            options => options.Connect = _ => Task.FromResult<IConnectionMultiplexer>(own),
            mesh => mesh.AddHandler(s_ask, (word, _) => word));

        var answer = await node.Bus.RequestAsync(s_ask, "through yours").InTime();
        await node.DisposeAsync();
        var channels = (object?[])(await redis.CommandAsync("PUBSUB", "CHANNELS", "mesh*"))!;
        await redis.CommandAsync("PUBLISH", "application", "still yours");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answer, Is.EqualTo("through yours"));
            Assert.That(own.IsConnected, Is.True);
            Assert.That(channels, Is.Empty, "what the bus subscribed to is gone");
            Assert.That(await heard.Task.InTime(), Is.EqualTo("still yours"), "what the application subscribed to is not");
        }
    }

    [Test]
    public async Task Two_buses_may_share_a_connection()
    {
        await using var redis = await RedisServer.StartAsync();
        using var own = await ConnectionMultiplexer.ConnectAsync(redis.Address);
        await using var server = await StartAsync(mesh => mesh.AddHandler(s_ask, (word, _) => word));
        await using var caller = await StartAsync(null);

        Assert.That(await caller.Bus.RequestAsync(s_ask, "shared").InTime(), Is.EqualTo("shared"));
        await caller.DisposeAsync();
        Assert.That(await server.Bus.RequestAsync(s_ask, "by one left").InTime(), Is.EqualTo("by one left"));

        Task<RedisNode> StartAsync(Action<IServiceMeshBuilder>? configure) =>
            RedisNode.StartAsync(s_nowhere, options => options.Connect = _ => Task.FromResult<IConnectionMultiplexer>(own), configure);
    }

    [Test]
    public async Task A_factory_of_the_container_that_has_not_ended_is_not_started_again()
    {
        await using var redis = await RedisServer.StartAsync();
        using var own = await ConnectionMultiplexer.ConnectAsync(redis.Address);
        using var goOn = new ManualResetEventSlim();
        var begun = 0;
        var services = new ServiceCollection().AddLogging().AddMetrics();
        services.AddTransient<IConnectionMultiplexer>(_ =>
        {
            Interlocked.Increment(ref begun);
            goOn.Wait();
            return own;
        });
        services.AddServiceMesh().AddRedisTransportFromServices();
        await using var provider = services.BuildServiceProvider();
        var connect = provider.GetRequiredService<IOptionsMonitor<RedisTransportOptions>>().Get("").Connect!;

        Task<IConnectionMultiplexer>[] asked = [connect(CancellationToken.None), connect(CancellationToken.None)];
        goOn.Set();

        Assert.That(await Task.WhenAll(asked).InTime(), Is.All.SameAs(own));
        Assert.That(begun, Is.EqualTo(1));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_factory_that_fails_does_not_bring_its_password_into_a_message(bool isWrapped)
    {
        var refusal = await Assert.CatchAsync<TransportException>(() => RedisNode.StartAsync(s_nowhere, options => options.Connect = _ =>
        {
            try
            {
                return Task.FromResult<IConnectionMultiplexer>(ConnectionMultiplexer.Connect("127.0.0.1:1,password=ab,cd=ef"));
            }
            catch (ArgumentException wrong) when (isWrapped)
            {
                throw new InvalidOperationException($"no connection: {wrong.Message}", wrong);
            }
        }));

        Assert.That($"{refusal}", Does.Contain("The application handed in no connection").And.Not.Contain("'cd'"));
    }

    [Test]
    public async Task Arguments_that_a_server_repeats_are_cut_from_the_failure_of_a_factory()
    {
        var refusal = await Assert.CatchAsync<TransportException>(() => RedisNode.StartAsync(s_nowhere, options => options.Connect =
            _ => throw new InvalidOperationException("ERR unknown command 'AUTH', with args beginning with: 'secret'")));

        Assert.That($"{refusal}", Does.Contain("unknown command 'AUTH'").And.Not.Contain("secret"));
    }

    [Test]
    public async Task A_factory_that_fails_or_never_ends_is_named_in_bounded_time()
    {
        var failed = await FailsAsync(_ => throw new InvalidOperationException("no connection today"));
        var late = await FailsAsync(async cancellationToken =>
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException("never reached");
        });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(failed, Does.Contain("application").And.Contain("no connection today"));
            Assert.That(late, Does.Contain("application").And.Contain("00:00:02"));
        }

        static async Task<string> FailsAsync(Func<CancellationToken, Task<IConnectionMultiplexer>> connect) =>
            (await Assert.CatchAsync<TransportException>(
                () => RedisNode.StartAsync(s_nowhere, options => options.Connect = connect)))!.Message;
    }
}
