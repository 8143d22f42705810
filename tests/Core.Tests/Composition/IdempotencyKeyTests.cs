using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>Each step has an idempotency key of its own, made from the caller's, and the same one when it is repeated.</summary>
public sealed class IdempotencyKeyTests
{
    private static readonly RequestTopic<int, int> s_step = new("keys.step");
    private static readonly RequestOptions s_order7 = new() { Headers = Headers.Of((Headers.IdempotencyKey, "order-7")) };

    private readonly ConcurrentQueue<string?> _keys = new();

    [SetUp]
    public void Forget() => _keys.Clear();

    [TestCaseSource(nameof(Forms))]
    public async Task Each_step_has_a_key_of_its_own(Composition<int, int> form, string expected)
    {
        await using var node = await NodeAsync();
        await node.Bus.ExecuteAsync(form, 1, s_order7).Soon();
        Assert.That(_keys.Order(StringComparer.Ordinal), Is.EqualTo(expected.Split(' ').Select(place => $"order-7/{place}")));
    }

    [Test]
    public async Task A_resumed_step_has_the_key_that_it_had()
    {
        await using var node = await NodeAsync();
        var broken = true;
        var flaky = Compose.Lambda((int x) => broken ? throw new InvalidTimeZoneException() : x);
        var form = s_step | Compose.Parallel(s_step, s_step | flaky | s_step).Pipe(all => all[1]) | s_step;
        var reply = await node.Bus.TryExecuteAsync(form, 1, s_order7).Soon();
        broken = false;
        _keys.Clear();
        await node.Bus.TryResumeAsync(reply.Resumption!, s_order7).Soon();
        Assert.That(
            _keys.Order(StringComparer.Ordinal),
            Is.EqualTo(new[] { "order-7/1.0.0", "order-7/1.1.0", "order-7/1.1.2", "order-7/3" }));
        _keys.Clear();
        await node.Bus.TryResumeAsync(reply.Resumption!.FailedOnly, s_order7).Soon();
        Assert.That(_keys.Order(StringComparer.Ordinal), Is.EqualTo(new[] { "order-7/1.1.2", "order-7/3" }));
    }

    [Test]
    public async Task A_repeated_attempt_has_the_key_of_the_first()
    {
        await using var node = await NodeAsync();
        var form = (s_step | Steps.Fail(StatusCode.Unavailable).OrOr(s_step | Steps.Refuse())).Retry(3);
        await node.Bus.TryExecuteAsync(form, 1, s_order7 with { IsIdempotent = true }).Soon();
        Assert.That(_keys.Distinct(), Has.Exactly(2).Items);
    }

    [Test]
    public async Task Without_a_key_of_the_caller_there_is_none()
    {
        await using var node = await NodeAsync();
        await node.Bus.ExecuteAsync(s_step | s_step, 1).Soon();
        Assert.That(_keys, Is.EqualTo(new string?[] { null, null }));
    }

    [Test]
    public async Task A_single_request_has_the_key_as_it_is()
    {
        await using var node = await NodeAsync();
        await node.Bus.RequestAsync(s_step, 1, s_order7).Soon();
        Assert.That(_keys, Is.EqualTo(new[] { "order-7" }));
    }

    private static IEnumerable<TestCaseData> Forms()
    {
        var own = new RequestOptions { Headers = Headers.Of((Headers.IdempotencyKey, "order-7/own")) };
        yield return Case("pipe", s_step | s_step | s_step, "0 1 2");
        yield return Case("pipe from the right", s_step | (s_step | s_step), "0 1 2");
        yield return Case("and-and", s_step.AndAnd(s_step), "0.0.0 0.1.0");
        yield return Case("batch", s_step | Compose.Batch(s_step, s_step | s_step), "0 1.0.0 1.1.0 1.1.1");
        yield return Case("parallel", Compose.Parallel(s_step, s_step).Pipe(all => all[0]), "0.0.0 0.1.0");
        yield return Case("each", Compose.Lambda((int _) => new[] { 1, 2 }) | s_step.Each(2).Pipe(all => all[0]), "1.0.0 1.1.0");
        yield return Case("with a key of its own", s_step | s_step.With(own), "0 own/0.0.0");
        yield return Case("step", Compose.Step(async (int x, StepContext step) =>
        {
            await step.ExecuteAsync(s_step, x);
            return await step.ExecuteAsync(s_step | s_step, x);
        }), "0.0.0 0.1.0 0.1.1");

        static TestCaseData Case(string name, Composition<int, int> form, string places) =>
            new TestCaseData(form, places).SetArgDisplayNames(name);
    }

    private Task<TestNode> NodeAsync() => TestNode.StartAsync(mesh =>
    {
        Steps.AddTo(mesh);
        mesh.AddHandler(s_step, (x, context) =>
        {
            _keys.Enqueue(context.Headers[Headers.IdempotencyKey]);
            return x;
        });
    });
}
