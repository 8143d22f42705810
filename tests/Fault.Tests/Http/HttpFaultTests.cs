using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>
/// The promises of the model over HTTP, with sessions and with exchanges, under plans of faults from seeds. A failure prints the seed and
/// the plan. The test of that seed, run alone with <c>SERVICEMESH_LONG_TESTS=1</c>, repeats both.
/// </summary>
[Parallelizable(ParallelScope.Children)]
public sealed class HttpFaultTests
{
    private static readonly int s_steps = TestLength.Of(6, 12);
    private static readonly TimeSpan s_span = TimeSpan.FromSeconds(TestLength.Of(3, 8));

    private static IEnumerable<int> Seeds => Enumerable.Range(1, TestLength.Of(1, 20));

    [Test]
    public async Task Every_promise_holds_under_the_faults_of_a_seed(
        [Values] HttpWay way, [ValueSource(nameof(Seeds))] int seed)
    {
        var plan = FaultPlan.Of(seed, FaultModel.Members, s_steps, s_span);
        await using var model = await HttpModel.StartAsync(way, seed);

        await plan.RunAsync(model.Networks);

        await model.CheckAsync($"Seed {seed}:{Environment.NewLine}{plan}");
    }

    [Test]
    public async Task Every_promise_holds_when_one_member_is_silent(
        [Values] HttpWay way, [Values(FaultDirection.ToServer, FaultDirection.ToClient)] FaultDirection direction)
    {
        await using var model = await HttpModel.StartAsync(way, seed: 1);

        model.Networks[1].Silence(direction);
        await Task.Delay(TimeSpan.FromSeconds(TestLength.Of(5, 20)));
        model.Networks[1].Heal();

        await model.CheckAsync($"Member 2 was silent {direction}.");
    }

    [Test]
    public async Task Every_promise_holds_when_all_members_are_silent([Values] HttpWay way)
    {
        var silence = TimeSpan.FromSeconds(TestLength.Of(5, 33));
        await using var model = await HttpModel.StartAsync(way, seed: 1, [TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(30)]);

        foreach (var network in model.Networks)
        {
            network.Silence(FaultDirection.Both);
        }

        await Task.Delay(silence);
        foreach (var network in model.Networks)
        {
            network.Heal();
        }

        await model.CheckAsync($"No member was reached for {silence}.");
    }

    [Test]
    public async Task No_request_fails_while_all_members_are_restarted_one_by_one([Values] HttpWay way)
    {
        await using var model = await HttpModel.StartAsync(way, seed: 1, [TimeSpan.FromSeconds(10)]);

        for (var member = 1; member <= FaultModel.Members; member++)
        {
            await model.RestartAsync(member);
            await model.SucceedAsync(ModelLoad.Callers * 2);
        }

        await model.CheckAsync("Each member was restarted.");
        Assert.That(model.Ledger.Failures.Take(5), Is.Empty);
    }
}
