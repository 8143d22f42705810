using NUnit.Framework;
using ServiceMesh.Conformance;
using static ServiceMesh.Http.Tests.Layers;

namespace ServiceMesh.Http.Tests;

public sealed class HedgingTests
{
    private static readonly CallSettings s_hedged = AtOnce with { HedgeAfter = TimeSpan.FromMilliseconds(50) };
    private readonly Layers _layers = new();

    [Test]
    public async Task A_slow_attempt_is_joined_by_another_and_the_first_answer_counts()
    {
        var given = new TaskCompletionSource();
        var call = Slow("a", s_hedged, given);

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "ab")));
        await given.Task.InTime(); // the slow one has been cancelled
        Assert.That(() => _layers.Endpoints.All.Select(e => e.InFlight), Is.All.Zero.After(5000, 5));
    }

    [Test]
    public async Task An_attempt_that_is_quick_enough_stays_alone()
    {
        var call = _layers.Call(_ => Ok, s_hedged);

        await _layers.SendAsync(call).InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task Hedges_and_retries_draw_on_the_same_attempts()
    {
        var call = _layers.Call(_ => Broken, s_hedged with { Attempts = 3 });

        await _layers.SendAsync(call).InTime();

        Assert.That(call.Sent, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Without_a_token_there_is_no_hedge()
    {
        var layers = new Layers(budget: new() { Ratio = 0, PerSecond = 0 });
        var done = new TaskCompletionSource<Answer<string>>();
        var call = new ScriptedCall(layers.Endpoints, s_hedged, (_, _) => done.Task);

        var sending = layers.SendAsync(call);
        layers.Clock.Advance(TimeSpan.FromSeconds(1));
        done.SetResult(Ok);
        await sending.InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task A_plain_request_is_never_hedged()
    {
        var done = new TaskCompletionSource<Answer<string>>();
        var call = new ScriptedCall(_layers.Endpoints, s_hedged, (_, _) => done.Task) { Repeatable = false };

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromSeconds(1));
        done.SetResult(Ok);
        await sending.InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    private ScriptedCall Slow(string names, CallSettings settings, TaskCompletionSource givenUp) => new(_layers.Endpoints, settings, async (name, token) =>
    {
        if (names.Contains(name, StringComparison.Ordinal))
        {
            await using var told = token.Register(givenUp.SetResult);
            await Task.Delay(Timeout.Infinite, token);
        }

        return Ok;
    });
}
