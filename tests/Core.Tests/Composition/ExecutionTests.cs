using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Core.Tests;

/// <summary>What all steps of an execution share: the composition, the deadline and the headers.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ExecutionTests
{
    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task One_composition_executed_1000_times_at_once_answers_each_call_correctly()
    {
        await using var node = await Steps.NodeAsync(("Handler:MaxQueued", "10000"));
        var form = Steps.Add1
            | Compose.Parallel(
                Steps.Double | Compose.Lambda((int x) => x + 1),
                Steps.Unhandled.OrOr(Steps.Double),
                Compose.Batch(Steps.Unhandled, Steps.Add1),
                Steps.Add1.AndAnd(Steps.Text | Steps.Length).Merge(x => x + 100))
            | Compose.Lambda((int[] all) => string.Join(' ', all));
        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => Task.Run(() => node.Bus.ExecuteAsync(form, i)))).Soon();
        Assert.That(answers, Is.EqualTo(Enumerable.Range(1, 1000).Select(x => $"{x * 2 + 1} {x * 2} {x + 1} {x + 100}")));
    }

    [Test]
    public async Task One_deadline_spans_all_steps()
    {
        await using var node = await NodeAsync();
        var deadlines = new List<long?>();
        var look = new RequestTopic<int, int>("look");
        await using var subscription = await node.Bus.SubscribeAsync(look, (x, context) =>
        {
            deadlines.Add(context.Message.Deadline.RemainingMilliseconds);
            _clock.Advance(TimeSpan.FromSeconds(2));
            return Task.FromResult(x);
        });
        var reply = await node.Bus.TryExecuteAsync(look | look | look, 1, new RequestOptions { Timeout = TimeSpan.FromSeconds(4) }).Soon();
        Assert.That(deadlines.Take(2), Is.EqualTo(new long?[] { 4000, 2000 }), "each step has the time that the steps before it left");
        Assert.That(deadlines, Has.Count.EqualTo(2), "no time was left for the third");
        Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
    }

    [Test]
    public async Task A_resumed_composition_has_its_own_deadline()
    {
        await using var node = await NodeAsync();
        var broken = true;
        var form = Compose.Lambda((int x) =>
        {
            _clock.Advance(TimeSpan.FromSeconds(3));
            return broken ? throw new InvalidTimeZoneException() : x;
        });
        var options = new RequestOptions { Timeout = TimeSpan.FromSeconds(4) };
        var left = (await node.Bus.TryExecuteAsync(form, 1, options).Soon()).Resumption!;
        broken = false;
        Assert.That((await node.Bus.TryResumeAsync(left, options).Soon()).Value, Is.EqualTo(1));
        Assert.That(
            async () => await node.Bus.TryResumeAsync(left, new RequestOptions { Timeout = TimeSpan.Zero }).Soon(),
            Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public async Task Headers_travel_with_every_step()
    {
        await using var node = await NodeAsync();
        var seen = new System.Collections.Concurrent.ConcurrentQueue<string?>();
        var look = new RequestTopic<int, int>("look");
        await using var subscription = await node.Bus.SubscribeAsync(look, (x, context) =>
        {
            seen.Enqueue(context.Headers["tenant"]);
            return Task.FromResult(x);
        });
        var form = look | Compose.Parallel(look, look).Pipe(all => all[0]) | Compose.Batch(look, look);
        await node.Bus.ExecuteAsync(form, 1, new RequestOptions { Headers = Headers.Of(("tenant", "t")) }).Soon();
        Assert.That(seen, Is.EqualTo(Enumerable.Repeat("t", 5)));
    }

    [Test]
    public async Task A_value_between_steps_that_cannot_be_encoded_is_a_failure_of_its_step()
    {
        await using var node = await Steps.NodeAsync();
        var broken = Compose.Lambda<int, Action>(_ => () => { }) | new RequestTopic<Action, int>("a");
        var reply = await node.Bus.TryExecuteAsync(broken, 1).Soon();
        var left = reply.Resumption;
        Assert.That((reply.Status, reply.Failure?.Step), Is.EqualTo((StatusCode.BadRequest, "a")));
        Assert.That(reply.Failure!.Exception, Is.TypeOf<NotSupportedException>());
        Assert.That((left?.StepIndex, left?.Step), Is.EqualTo(((int?)1, "a")));
        Assert.That(await node.Bus.ExecuteAsync(broken.OrOr(Steps.Add1), 1).Soon(), Is.EqualTo(2), "the alternative is tried");
    }

    private Task<TestNode> NodeAsync() =>
        TestNode.StartAsync(Steps.AddTo, services: services => services.AddSingleton<TimeProvider>(_clock));
}
