using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class RetryBudgetTests
{
    private readonly FakeTimeProvider _clock = new();

    [Test]
    public void A_new_budget_holds_the_fixed_number_of_one_window() =>
        Assert.That(Take(new() { Ratio = 0, PerSecond = 10, Window = TimeSpan.FromSeconds(10) }, 0), Is.EqualTo(100));

    [Test]
    public void Each_request_adds_its_share_to_the_budget() =>
        Assert.That(Take(new() { Ratio = 0.2, PerSecond = 0 }, 1000), Is.EqualTo(200));

    [Test]
    public void A_taken_token_returns_after_the_window()
    {
        var budget = new RetryBudget(new() { Ratio = 0, PerSecond = 1, Window = TimeSpan.FromSeconds(10) }, _clock);
        var first = TakeAll(budget);
        _clock.Advance(TimeSpan.FromSeconds(8.9));
        var early = TakeAll(budget);
        _clock.Advance(TimeSpan.FromSeconds(1.2));

        Assert.That((first, early, TakeAll(budget)), Is.EqualTo((10, 0, 10)));
    }

    [Test]
    public void The_share_of_old_requests_is_forgotten_after_the_window()
    {
        var budget = new RetryBudget(new() { Ratio = 1, PerSecond = 0, Window = TimeSpan.FromSeconds(10) }, _clock);
        Count(budget, 50);
        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.That(TakeAll(budget), Is.Zero);
    }

    [Test]
    public async Task Concurrent_callers_take_no_more_tokens_than_available()
    {
        var budget = new RetryBudget(new() { Ratio = 0, PerSecond = 100, Window = TimeSpan.FromSeconds(10) }, _clock);

        var taken = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => Task.Run(() => Enumerable.Range(0, 1000).Count(_ => budget.TryTake()))));

        // Two that come for the last one at once may both go without.
        Assert.That(taken.Sum(), Is.InRange(990, 1000));
        Assert.That(budget.Available, Is.InRange(0, 10));
    }

    private int Take(HttpRetryBudgetOptions settings, int requests)
    {
        var budget = new RetryBudget(settings, _clock);
        Count(budget, requests);
        return TakeAll(budget);
    }

    [Test]
    public async Task A_service_that_spends_its_budget_leaves_the_others_theirs()
    {
        var layers = new Layers(budget: new() { Ratio = 0, PerSecond = 0.1, Window = TimeSpan.FromSeconds(10) }); // one token each
        async Task<int> AttemptsAsync(string service)
        {
            var call = new ScriptedCall(layers.Endpoints, Layers.AtOnce, (_, _) => Task.FromResult(Layers.Broken)) { Name = service };
            await layers.SendAsync(call);
            return call.Sent.Count;
        }

        Assert.That(
            (await AttemptsAsync("bad"), await AttemptsAsync("bad"), await AttemptsAsync("other")), Is.EqualTo((2, 1, 2)));
    }

    private static void Count(RetryBudget budget, int requests)
    {
        for (var i = 0; i < requests; i++)
        {
            budget.Count();
        }
    }

    private static int TakeAll(RetryBudget budget) => Enumerable.Range(0, 10_000).TakeWhile(_ => budget.TryTake()).Count();
}
