using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>One fault at a time under the load and the promises of the seeded model.</summary>
public sealed class SingleFaultTests
{
    private const int Seed = 1;

    [Test]
    public async Task Every_promise_holds_when_Redis_pauses_its_clients()
    {
        var pause = TimeSpan.FromSeconds(TestLength.Of(4, 10));
        await using var model = await RedisModel.StartAsync(Seed);

        await model.Redis.CommandAsync("CLIENT", "PAUSE", $"{pause.TotalMilliseconds}", "ALL");
        await Task.Delay(pause);

        await model.CheckAsync($"Redis paused its clients for {pause}.");
    }

    [Test]
    public async Task Every_promise_holds_while_Redis_is_suspended()
    {
        await using var model = await RedisModel.StartAsync(Seed);

        await model.Redis.FreezeAsync();
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(TestLength.Of(5, 20)));
        }
        finally
        {
            await model.Redis.ThawAsync();
        }

        await model.CheckAsync("Redis stood still.");
    }

    [Test]
    public async Task Every_promise_holds_when_the_network_of_all_nodes_is_silent()
    {
        // With default settings: a request has 30 s, and the silence is longer than that in a long run.
        var silence = TimeSpan.FromSeconds(TestLength.Of(5, 33));
        await using var model = await RedisModel.StartAsync(Seed, [TimeSpan.FromSeconds(30)]);

        foreach (var network in model.Networks)
        {
            network.Silence(FaultDirection.Both);
        }

        await Task.Delay(silence);
        foreach (var network in model.Networks)
        {
            network.Heal();
        }

        await model.CheckAsync($"No node reached Redis for {silence}.");
    }

    [TestCase(0, FaultDirection.ToServer)]
    [TestCase(0, FaultDirection.ToClient)]
    [TestCase(2, FaultDirection.ToServer)]
    [TestCase(2, FaultDirection.ToClient)]
    public async Task Every_promise_holds_when_one_node_is_silent_in_one_direction(int node, FaultDirection direction)
    {
        await using var model = await RedisModel.StartAsync(Seed);

        model.Networks[node].Silence(direction);
        await Task.Delay(TimeSpan.FromSeconds(TestLength.Of(4, 20)));
        model.Networks[node].Heal();

        await model.CheckAsync($"Node {node} was silent {direction}.");
    }

    [Test]
    public async Task No_request_fails_when_all_keys_are_flushed_repeatedly()
    {
        await using var model = await RedisModel.StartAsync(Seed, [TimeSpan.FromSeconds(10)]);

        for (var round = 0; round < TestLength.Of(10, 300); round++)
        {
            await model.Redis.CommandAsync("FLUSHALL");
            await model.SucceedAsync(ModelLoad.Callers * 3);
        }

        await model.CheckAsync("All keys were flushed again and again.");
        Assert.That(model.Ledger.Failures.Take(5), Is.Empty);
    }

    [Test]
    public async Task No_request_fails_when_Redis_evicts_keys()
    {
        await using var model = await RedisModel.StartAsync(Seed, [TimeSpan.FromSeconds(10)]);
        using var redis = await model.Redis.ConnectAsync();
        var used = Number(await redis.SendAsync("INFO", "memory"), "used_memory");
        await redis.SendAsync("CONFIG", "SET", "maxmemory-policy", "allkeys-random");
        await redis.SendAsync("CONFIG", "SET", "maxmemory", $"{used + 1_000_000}");

        for (var key = 0; key < TestLength.Of(1_000, 100_000); key++)
        {
            await redis.SendAsync("SET", $"foreign:{key}", new string('x', 10_000));
        }

        Assert.That(Number(await redis.SendAsync("INFO", "stats"), "evicted_keys"), Is.GreaterThan(500));
        await model.SucceedAsync(ModelLoad.Callers * 3);
        await model.CheckAsync("Redis evicted keys.");
        Assert.That(model.Ledger.Failures.Take(5), Is.Empty);

        static long Number(object? info, string name) => long.Parse(
            ((string)info!).Split("\r\n").Single(line => line.StartsWith($"{name}:", StringComparison.Ordinal))[(name.Length + 1)..],
            CultureInfo.InvariantCulture);
    }

    [Test]
    public async Task No_request_fails_when_the_clocks_of_machines_are_wrong_and_jump()
    {
        SteppingClock[] clocks = [.. Enumerable.Range(0, RedisModel.Nodes).Select(_ => new SteppingClock())];
        clocks[1].Offset = TimeSpan.FromMinutes(-1);
        clocks[2].Offset = TimeSpan.FromMinutes(1);
        await using var model = await RedisModel.StartAsync(Seed, [TimeSpan.FromSeconds(10)], clocks);

        var random = new Random(Seed);
        for (var round = 0; round < TestLength.Of(10, 100); round++)
        {
            clocks[random.Next(clocks.Length)].Offset = TimeSpan.FromSeconds(random.Next(-3_600, 3_600));
            await model.SucceedAsync(ModelLoad.Callers * 2);
        }

        await model.CheckAsync("The clocks of the machines were set again and again.");
        Assert.That(model.Ledger.Failures.Take(5), Is.Empty);
    }
}
