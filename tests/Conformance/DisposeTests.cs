using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Nodes that stop while requests are in flight: each request ends once, with an answer or a typed failure.</summary>
public abstract class DisposeTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    private const int Callers = 16;

    [Test]
    public async Task A_disposed_server_has_answered_or_not_processed_each_request()
    {
        var handled = 0;
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, async (string input, HandlerContext _) =>
        {
            Interlocked.Increment(ref handled);
            await Task.Yield();
            return input;
        }));
        var caller = await StartAsync();
        var warm = new Inbox<int>();
        var traffic = Enumerable.Range(0, Callers).Select(i => Task.Run(async () =>
        {
            var replies = new List<(string Sent, Reply<string> Reply)>();
            do
            {
                var sent = $"{i}.{replies.Count}";
                replies.Add((sent, await caller.Bus.TryRequestAsync(Ask, sent)));
                if (replies.Count == 20)
                {
                    warm.Put(i);
                }
            }
            while (replies[^1].Reply.IsSuccess);

            return replies;
        })).ToArray();
        await warm.NextAsync(Callers);

        await server.DisposeAsync();

        var all = (await Task.WhenAll(traffic).InTime()).SelectMany(r => r).ToArray();
        var failures = all.Where(r => !r.Reply.IsSuccess).Select(r => r.Reply.Failure!).ToArray();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(all.Where(r => r.Reply.IsSuccess).All(r => r.Reply.Value == r.Sent), Is.True, "each has its own answer");
            Assert.That(failures, Has.Length.EqualTo(Callers));
            Assert.That(failures.Select(f => f.Status), Is.All.AnyOf(StatusCode.Unavailable, StatusCode.NotFound));
            Assert.That(
                failures.Where(f => !f.NotProcessed).Select(f => f.Message), Is.Empty, "every request that a handler began has its answer");
            Assert.That(handled, Is.EqualTo(all.Length - failures.Length));
        }
    }

    [Test]
    public async Task Disposing_a_caller_ends_all_its_requests()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync));
        var caller = await StartAsync();
        var asking = Enumerable.Range(0, 50).Select(i => caller.Bus.TryRequestAsync(Ask, $"{i}")).ToArray();
        await held.EnteredAsync();

        await caller.DisposeAsync();
        held.Release();

        var replies = await Task.WhenAll(asking);
        Assert.That(replies.Select(r => r.Status), Is.All.AnyOf(StatusCode.Ok, StatusCode.Unavailable));
        Assert.That(replies.Select((r, i) => r.IsSuccess && r.Value != $"{i}"), Is.All.False, "each has its own answer");
    }

    [Test]
    public async Task A_member_that_is_disposed_leaves_its_group_to_the_others()
    {
        var nodes = await StartAsync(3, mesh => mesh.AddHandler(Ask, Echo));
        var caller = await StartAsync();
        using var enough = new CancellationTokenSource();
        var traffic = Enumerable.Range(0, Callers).Select(i => Task.Run(async () =>
        {
            var replies = new List<Reply<string>>();
            while (!enough.IsCancellationRequested)
            {
                replies.Add(await caller.Bus.TryRequestAsync(Ask, $"{i}"));
            }

            return replies;
        })).ToArray();

        await StopAsync(nodes[0]);
        await StopAsync(nodes[1]);
        Assert.That(await caller.Bus.RequestAsync(Ask, "last member"), Is.EqualTo("last member"));
        await enough.CancelAsync();

        var replies = (await Task.WhenAll(traffic).InTime()).SelectMany(r => r);
        Assert.That(
            replies.Where(r => !r.IsSuccess).Select(r => r.Failure!.Message), Is.Empty, "the group had a running member all the time");
    }

    [Test]
    public async Task Disposing_a_subscriber_disturbs_neither_the_sender_nor_the_others()
    {
        var (leaves, stays) = (new Inbox<int>(), new Inbox<int>());
        var numbers = new SignalTopic<int>("conformance.numbers");
        var leaving = await StartAsync(mesh => mesh.AddHandler(numbers, leaves.ReceiveAsync));
        await StartAsync(mesh => mesh.AddHandler(numbers, stays.ReceiveAsync));
        var sender = await StartAsync();

        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < 500; i++)
            {
                await sender.Bus.SignalAsync(numbers, i);
            }
        });
        await leaves.NextAsync(10);
        await leaving.DisposeAsync();
        await sending.InTime();

        Assert.That(await stays.NextAsync(500), Is.EquivalentTo(Enumerable.Range(0, 500)));
        Assert.That(leaves.All, Is.Unique);
    }
}
