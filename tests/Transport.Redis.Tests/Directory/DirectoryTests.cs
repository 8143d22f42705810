using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Redis.Tests.Faults;
using ServiceMesh.Support;

namespace ServiceMesh.Redis.Tests.Directory;

/// <summary>What nodes tell each other of what they handle, and what it costs.</summary>
public sealed partial class DirectoryTests
{
    private static readonly RequestTopic<int, int> s_ask = new("directory.ask");

    private RedisServer _redis = null!;

    [SetUp]
    public async Task StartRedisAsync() => _redis = await RedisServer.StartAsync();

    [TearDown]
    public async Task StopRedisAsync() => await _redis.DisposeAsync();

    [Test]
    public async Task Many_subscriptions_one_after_the_other_cost_little_each()
    {
        var count = TestLength.Of(1_000, 4_000);
        await using var node = await RedisNode.StartAsync(_redis.Address);
        await using var other = await RedisNode.StartAsync(_redis.Address);
        var before = await BytesAsync();

        for (var i = 0; i < count; i++)
        {
            await node.Bus.SubscribeAsync(new RequestTopic<int, int>($"directory.topic{i}"), (number,
                _) => Task.FromResult(number)).InTime();
        }

        var bytes = await BytesAsync() - before;
        await TestContext.Out.WriteLineAsync($"{count} subscriptions put {bytes / 1024} KiB into Redis.");
        Assert.That(bytes, Is.LessThan(count * 2L * 1024 * 1024 / 4_000), "2 MiB for 4,000");
        Assert.That(await other.Bus.RequestAsync(new RequestTopic<int, int>($"directory.topic{count - 1}"), 7).InTime(), Is.EqualTo(7));
    }

    [Test]
    public async Task A_group_of_signals_that_has_just_joined_receives_the_next_signal()
    {
        var news = new SignalTopic<int>("directory.news");
        await using var node = await RedisNode.StartAsync(_redis.Address);
        await using var sender = await RedisNode.StartAsync(_redis.Address);
        for (var i = 0; i < 30; i++)
        {
            var heard = new Inbox<int>();
            await using var subscription = await node.Bus.SubscribeAsync(news, heard.ReceiveAsync, new() { Group = "workers" });

            var sent = await sender.Bus.SignalAsync(news, i);

            Assert.That((sent.Receivers, await heard.NextAsync()), Is.EqualTo(((int?)1, i)));
        }
    }

    [Test]
    public async Task When_all_keys_are_gone_the_nodes_go_on_and_are_announced_again()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (number, _) => number));
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        Assert.That(await caller.Bus.RequestAsync(s_ask, 1).InTime(), Is.EqualTo(1));

        await _redis.CommandAsync("FLUSHALL");

        Assert.That(await caller.Bus.RequestAsync(s_ask, 2).InTime(), Is.EqualTo(2));
        Assert.That((await caller.Bus.TryRequestAsync(new RequestTopic<int, int>("directory.none"), 2).InTime()).Status,
            Is.EqualTo(StatusCode.NotFound));
        await Failsafe.UntilAsync(async () => (long)(await _redis.CommandAsync("EXISTS", $"mesh:member:{node.Id}"))! == 1);
        await using var late = await RedisNode.StartAsync(_redis.Address);
        Assert.That(await late.Bus.RequestAsync(s_ask, 3).InTime(), Is.EqualTo(3));
    }

    [Test]
    public async Task When_all_keys_go_under_load_requests_recover_within_five_seconds()
    {
        await using var node = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (number, _) => number));
        await using var caller = await RedisNode.StartAsync(_redis.Address);
        using var end = new CancellationTokenSource();
        var successes = new int[16];
        var callers = Enumerable.Range(0, successes.Length).Select(CallAsync).ToArray();
        await Failsafe.UntilAsync(() => Array.TrueForAll(successes, count => Volatile.Read(ref count) > 10));

        for (var flush = 0; flush < 3; flush++)
        {
            await _redis.CommandAsync("FLUSHALL");
            var (before, watch) = (successes.ToArray(), Stopwatch.StartNew());
            await Failsafe.UntilAsync(() => !successes.Where((count, i) => count < before[i] + 10).Any());
            Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)), "each caller has ten more answers");
        }

        // A node that starts knows only what is written again.
        var started = Stopwatch.StartNew();
        await using var late = await RedisNode.StartAsync(_redis.Address);
        await Failsafe.UntilAsync(async () => (await late.Bus.TryRequestAsync(s_ask, 3)).IsSuccess);
        Assert.That(started.Elapsed, Is.LessThan(TimeSpan.FromSeconds(8)), "the start, and five seconds");
        await end.CancelAsync();
        Assert.That(await Task.WhenAll(callers).InTime(), Is.All.Zero, "no request failed");

        async Task<int> CallAsync(int i)
        {
            var failures = 0;
            while (!end.IsCancellationRequested)
            {
                var succeeded = (await caller.Bus.TryRequestAsync(s_ask, i)).IsSuccess;
                failures += succeeded ? 0 : 1;
                successes[i] += succeeded ? 1 : 0;
            }

            return failures;
        }
    }

    [Test]
    public async Task Strangers_among_the_members_are_skipped_and_age_out()
    {
        var soon = DateTimeOffset.UtcNow.AddSeconds(20).ToUnixTimeMilliseconds();
        using (var client = await _redis.ConnectAsync())
        {
            for (var i = 0; i < TestLength.Of(20, 100); i++)
            {
                await client.SendAsync(["ZADD", "mesh:members", .. Enumerable.Range(0,
                    1_000).SelectMany(n => new object[] { $"{soon + 100_000_000}", $"stranger-{i}-{n}" })]);
            }

            await client.SendAsync("ZADD", "mesh:members", $"{soon}", "stranger");
            await client.SendAsync("SADD", "mesh:member:stranger", "of another type");
        }

        await using var node = await RedisNode.StartAsync(_redis.Address, mesh => mesh.AddHandler(s_ask, (number, _) => number));
        await using var caller = await RedisNode.StartAsync(_redis.Address);

        Assert.That(await caller.Bus.RequestAsync(s_ask, 1).InTime(), Is.EqualTo(1));
        Assert.That((await caller.Bus.ListNodesAsync().InTime()).Select(n => n.Id), Is.EquivalentTo([node.Id, caller.Id]));
        await Failsafe.UntilAsync(async () => (long)(await _redis.CommandAsync("ZCARD", "mesh:members"))! <= 3);
    }

    private async Task<long> BytesAsync() =>
        long.Parse(NetInput().Match((string)(await _redis.CommandAsync("INFO", "stats"))!).Groups[1].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("total_net_input_bytes:([0-9]+)")]
    private static partial Regex NetInput();
}
