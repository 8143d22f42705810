using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

public sealed class ConcurrencyLimitTests
{
    [Test]
    public async Task A_request_beyond_the_client_limit_is_refused_before_it_is_sent()
    {
        var layers = new Layers(concurrency: 2);
        var done = new TaskCompletionSource<AttemptResult<string>>();
        ScriptedCall Call() => new(layers.Endpoints, Layers.AtOnce, (_, _) => done.Task);

        var (first, second) = (layers.SendAsync(Call()), layers.SendAsync(Call()));
        var third = Call();
        var refused = await layers.SendAsync(third).InTime();
        done.SetResult(Layers.Ok);
        await Task.WhenAll(first, second).InTime();
        var after = await layers.SendAsync(Call()).InTime();

        Assert.That((refused.Reply, third.Sent.Count, after.Reply), Is.EqualTo(("more than 2", 0, "ok")));
    }

    [Test]
    public async Task A_refused_request_adds_no_retry_token()
    {
        var layers = new Layers(concurrency: 1);
        var done = new TaskCompletionSource<AttemptResult<string>>();
        var first = layers.SendAsync(new(layers.Endpoints, Layers.AtOnce, (_, _) => done.Task));
        var before = layers.Budget.Available;

        await layers.SendAsync(layers.Call(_ => Layers.Ok)).InTime();

        Assert.That((before, layers.Budget.Available), Is.EqualTo((100.2, 100.2)));
        done.SetResult(Layers.Ok);
        await first.InTime();
    }
}
