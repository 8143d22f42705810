using System.Globalization;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>Faults of which callers notice nothing, under the load and the promises of the seeded model.</summary>
public sealed class UnnoticedFaultTests
{
    private const int Seed = 1;

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
