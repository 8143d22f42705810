using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>
/// Members of a group share the requests. The transport declares whether a request goes to every group or to one group.
/// </summary>
public abstract class RequestGroupTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [TestCase(null)]
    [TestCase("workers")]
    public async Task A_group_delivers_each_request_to_one_member(string? group)
    {
        var handled = new ConcurrentBag<string>();
        var members = await StartAsync(3, mesh => mesh.AddHandler(
            Ask,
            (input, _) =>
            {
                handled.Add(input);
                return input;
            },
            options => options.Group = group));
        var callers = await StartAsync(2, _ => { });

        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => callers[i % 2].Bus.RequestAsync(Ask, $"{i}")));
        await StopAsync(members);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 1000).Select(i => $"{i}")));
            Assert.That(handled, Is.EquivalentTo(answers), "each was handled once");
        }
    }

    [Test]
    public async Task A_handler_knows_its_group()
    {
        await StartAsync(mesh => mesh
            .AddHandler(Ask, (_, context) => context.Group ?? "none", options => options.Group = "workers")
            .AddHandler(Other, (_, context) => context.Group ?? "none"));
        var caller = await StartAsync();

        Assert.That(
            (await caller.Bus.RequestAsync(Ask, ""), await caller.Bus.RequestAsync(Other, "")),
            Is.EqualTo(("workers", "_default")));
    }

    [Test]
    public async Task Every_group_or_one_group_gets_a_request_as_the_transport_declares()
    {
        var handled = new Inbox<(string Group, string Input)>();
        var nodes = await StartAsync(2, mesh =>
        {
            foreach (var group in (string[])["red", "green", "blue"])
            {
                mesh.AddHandler(
                    Ask,
                    (input, _) =>
                    {
                        handled.Put((group, input));
                        return group;
                    },
                    options => options.Group = group);
            }
        });
        var caller = await StartAsync();

        var answers = new List<string>();
        for (var i = 0; i < 50; i++)
        {
            answers.Add(await caller.Bus.RequestAsync(Ask, $"{i}"));
        }

        var expected = Can(TransportFeatures.RequestsReachEveryGroup) ? 3 : 1;
        await handled.NextAsync(50 * expected);
        await StopAsync(nodes);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(handled.All, Is.Unique, "no group handles a request twice");
            Assert.That(handled.All.GroupBy(h => h.Input).Select(g => g.Count()), Is.EqualTo(Enumerable.Repeat(expected, 50)));
            Assert.That(answers, Is.All.AnyOf("red", "green", "blue"));
        }
    }

    [Test]
    public async Task The_first_answer_of_several_groups_counts()
    {
        var (slow, quick) = (new Held(), new Held());
        quick.Release();
        await StartAsync(mesh => mesh.AddHandler(Ask, slow.HandleAsync, options => options.Group = "slow"));
        await StartAsync(mesh => mesh.AddHandler(Ask, quick.HandleAsync, options => options.Group = "quick"));
        var caller = await StartAsync();

        if (Can(TransportFeatures.RequestsReachEveryGroup))
        {
            Assert.That(await caller.Bus.RequestAsync(Ask, "hello"), Is.EqualTo("hello"), "though the slow group still works on it");
            await slow.EnteredAsync();
            Assert.That(slow.WasCancelled, Is.False, "the slow group handles the request as well");
            slow.Release();
        }
        else
        {
            var asking = caller.Bus.RequestAsync(Ask, "hello");
            await Failsafe.UntilAsync(() => slow.Calls + quick.Calls > 0);
            slow.Release();
            Assert.That((await asking, slow.Calls + quick.Calls), Is.EqualTo(("hello", 1)));
        }
    }

    [Test]
    public async Task A_full_group_does_not_refuse_a_request_for_a_free_group()
    {
        var full = new Held();
        await StartAsync(mesh => mesh
            .AddHandler(Ask, full.HandleAsync, options => (options.Group, options.MaxConcurrency, options.MaxQueued) = ("full", 1, 0))
            .AddHandler(Ask, Echo, options => options.Group = "free"));
        var caller = await StartAsync();

        if (Can(TransportFeatures.RequestsReachEveryGroup))
        {
            await caller.Bus.RequestAsync(Ask, "fills the one");
            await full.EnteredAsync();
            for (var i = 0; i < 10; i++)
            {
                Assert.That(await caller.Bus.RequestAsync(Ask, $"{i}"), Is.EqualTo($"{i}"));
            }

            Assert.That(full.Calls, Is.EqualTo(1));
        }
        else
        {
            // One group gets each request: it answers, or it says that it is full.
            var first = caller.Bus.TryRequestAsync(Ask, "first");
            var replies = await Task.WhenAll(
                Enumerable.Range(0, 10).Select(i => caller.Bus.TryRequestAsync(Ask, $"{i}", new() { Timeout = TimeSpan.FromSeconds(2) })));
            full.Release();
            await first;
            Assert.That(replies.Select(r => r.Status), Is.All.AnyOf(StatusCode.Ok, StatusCode.Overloaded, StatusCode.DeadlinePassed));
        }

        full.Release();
    }
}
