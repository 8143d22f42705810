using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// Plans of faults from seeds, on the networks between four nodes and a real Redis; with every second seed the mesh has a key.
/// A failure prints the seed and the plan. The test of that seed, run alone with <c>SERVICEMESH_LONG_TESTS=1</c>, repeats both.
/// </summary>
public sealed class SeededFaultTests
{
    private static readonly int s_steps = TestLength.Of(6, 12);
    private static readonly TimeSpan s_span = TimeSpan.FromSeconds(TestLength.Of(3, 8));

    private static IEnumerable<int> Seeds => Enumerable.Range(1, TestLength.Of(2, 20));

    [TestCaseSource(nameof(Seeds))]
    public async Task Every_promise_holds_under_the_faults_of_a_seed(int seed)
    {
        var plan = FaultPlan.Of(seed, RedisModel.Nodes, s_steps, s_span);
        await using var model = await RedisModel.StartAsync(seed, isSealed: seed % 2 == 0);

        await plan.RunAsync(model.Networks);

        await model.CheckAsync($"Seed {seed}:{Environment.NewLine}{plan}");
    }

    [Test]
    public void A_seed_always_makes_the_same_plan_and_another_seed_makes_another_plan()
    {
        var plan = $"{FaultPlan.Of(7, RedisModel.Nodes, 12, s_span)}";

        Assert.That($"{FaultPlan.Of(7, RedisModel.Nodes, 12, s_span)}", Is.EqualTo(plan));
        Assert.That($"{FaultPlan.Of(8, RedisModel.Nodes, 12, s_span)}", Is.Not.EqualTo(plan));
    }
}
