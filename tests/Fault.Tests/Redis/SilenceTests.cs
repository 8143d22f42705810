using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>One silence at a time under the load and the promises of the seeded model. The tests mostly wait.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class SilenceTests
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
}
