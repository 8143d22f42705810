using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Many callers at once: each has its own answer, and nothing is done twice.</summary>
public abstract class ConcurrencyTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task Ten_thousand_requests_of_64_callers_are_each_answered_once_with_their_own_answer()
    {
        const int Callers = 64;
        const int Requests = 10_000;
        var handled = new ConcurrentBag<string>();
        var servers = await StartAsync(2, mesh => mesh.AddHandler(Ask, async (string input, HandlerContext context) =>
        {
            handled.Add(input);
            await Task.Yield();
            return $"{input} for {context.Sender}";
        }));
        var nodes = await StartAsync(2, _ => { });
        var next = -1;

        var answers = (await Task.WhenAll(Enumerable.Range(0, Callers).Select(async caller =>
        {
            var node = nodes[caller % nodes.Length];
            var mine = new List<(string Expected, string Answer)>();
            for (var i = Interlocked.Increment(ref next); i < Requests; i = Interlocked.Increment(ref next))
            {
                mine.Add(($"{i} for {node.Id}", await node.Bus.RequestAsync(Ask, $"{i}")));
            }

            return mine;
        })).InTime()).SelectMany(a => a).ToArray();
        await StopAsync(servers);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers, Has.Length.EqualTo(Requests));
            Assert.That(answers.Where(a => a.Answer != a.Expected), Is.Empty, "each caller has its own answer");
            Assert.That(handled, Has.Count.EqualTo(Requests));
            Assert.That(handled.Distinct().Count(), Is.EqualTo(Requests), "each was handled once");
        }
    }

    [Test]
    public async Task Answers_reach_their_callers_in_any_order()
    {
        const int Requests = 200;
        var waiting = Enumerable.Range(0, Requests)
            .Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToArray();
        var entered = new Inbox<int>();
        var number = new RequestTopic<int, int>("conformance.number");
        await StartAsync(mesh => mesh.AddHandler(number, async (int i, HandlerContext _) =>
        {
            entered.Put(i);
            await waiting[i].Task;
            return i;
        }));
        var caller = await StartAsync();

        var asking = Enumerable.Range(0, Requests).Select(i => caller.Bus.RequestAsync(number, i)).ToArray();
        await entered.NextAsync(Requests);
        for (var i = Requests - 1; i >= 0; i--)
        {
            waiting[i].SetResult();
            Assert.That(await asking[i], Is.EqualTo(i));
        }
    }

    [Test]
    public async Task Nodes_that_ask_each_other_at_the_same_time_do_not_block_each_other()
    {
        MeshNode[] nodes = [];
        nodes =
        [
            await StartAsync(mesh => mesh.AddHandler(
                Ask, async (string input, HandlerContext _) => $"({await nodes[0].Bus.RequestAsync(Other, input)})")),
            await StartAsync(mesh => mesh.AddHandler(Other, (input, _) => input)),
        ];

        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => nodes[i % 2].Bus.RequestAsync(Ask, $"{i}")));

        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 1000).Select(i => $"({i})")));
    }
}
