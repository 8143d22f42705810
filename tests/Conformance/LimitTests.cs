using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>How many messages a handler runs at once, how many wait, and how further ones are refused.</summary>
public abstract class LimitTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task A_request_beyond_the_limits_is_429_not_processed_and_retryable()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync), ("Handler:MaxConcurrency", "1"), ("Handler:MaxQueued", "0"));
        var caller = await StartAsync();
        var first = caller.Bus.RequestAsync(Ask, "first");
        await held.EnteredAsync();

        var refused = await Assert.ThrowsAsync<RequestRejectedException>(() => caller.Bus.RequestAsync(Ask, "second"));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(refused?.Failure.Status, Is.EqualTo(StatusCode.Overloaded));
            Assert.That(refused?.Failure.NotProcessed, Is.True);
            Assert.That(refused?.Failure.IsRetryable, Is.True);
            Assert.That(held.Calls, Is.EqualTo(1), "the handler did not run for it");
        }

        held.Release();
        Assert.That(await first, Is.EqualTo("first"));

        // The place is free once the handler has ended, which may be just after its answer.
        await Failsafe.UntilAsync(async () => await caller.Bus.TryRequestAsync(Ask, "again") is { Value: "again" });
    }

    [Test]
    public async Task MaxQueued_requests_wait_and_further_ones_are_refused()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync, options => (options.MaxConcurrency, options.MaxQueued) = (2, 3)));
        var caller = await StartAsync();

        // The order of arrival decides which requests are refused; how many are refused is fixed.
        var replies = Enumerable.Range(0, 9).Select(i => caller.Bus.TryRequestAsync(Ask, $"{i}")).ToList();
        var refused = new List<Reply<string>>();
        while (refused.Count < 4)
        {
            var next = await Task.WhenAny(replies);
            replies.Remove(next);
            refused.Add(await next);
        }

        held.Release();
        var answered = await Task.WhenAll(replies);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(refused.Select(r => r.Status), Is.All.EqualTo(StatusCode.Overloaded));
            Assert.That(answered.Select(r => r.Status), Is.All.EqualTo(StatusCode.Ok));
            Assert.That(held.Calls, Is.EqualTo(5));
        }
    }

    [Test]
    public async Task A_free_member_takes_the_requests_that_a_full_member_refuses()
    {
        var held = new Held();
        await StartAsync(3, mesh => mesh.AddHandler(
            Ask,
            (string input, HandlerContext context) => input == "stay" ? held.HandleAsync(input, context) : Task.FromResult(input),
            options => (options.MaxConcurrency, options.MaxQueued) = (1, 0)));
        var caller = await StartAsync();

        var staying = caller.Bus.RequestAsync(Ask, "stay");
        await held.EnteredAsync();

        // One of the three members is full, and some of these requests reach it first.
        for (var i = 0; i < 30; i++)
        {
            Assert.That(await caller.Bus.RequestAsync(Ask, $"{i}"), Is.EqualTo($"{i}"));
        }

        held.Release();
        Assert.That(await staying, Is.EqualTo("stay"));
    }

    [Test]
    public async Task A_request_is_refused_only_when_every_member_is_full()
    {
        var held = new Held();
        await StartAsync(
            3, mesh => mesh.AddHandler(Ask, held.HandleAsync, options => (options.MaxConcurrency, options.MaxQueued) = (1, 0)));
        var caller = await StartAsync();

        var asked = new List<Task<string>>();
        for (var i = 0; i < 3; i++)
        {
            asked.Add(caller.Bus.RequestAsync(Ask, $"{i}"));
            await held.EnteredAsync();
        }

        var oneTooMany = await caller.Bus.TryRequestAsync(Ask, "3");
        held.Release();

        Assert.That(await Task.WhenAll(asked), Is.EqualTo(["0", "1", "2"]));
        Assert.That((oneTooMany.Status, oneTooMany.Failure?.NotProcessed), Is.EqualTo((StatusCode.Overloaded, (bool?)true)));
    }

    [Test]
    public async Task A_queued_request_is_dropped_when_its_deadline_passes()
    {
        var handled = new Inbox<string>();
        var held = new Held();
        var server = await StartAsync(mesh => mesh.AddHandler(
            Ask,
            (string input, HandlerContext context) =>
            {
                handled.Put(input);
                return held.HandleAsync(input, context);
            },
            options => (options.MaxConcurrency, options.MaxQueued) = (1, 10)));
        var caller = await StartAsync();
        var first = caller.Bus.RequestAsync(Ask, "first");
        await held.EnteredAsync();
        Task<Reply<string>> WaitAsync(string input) =>
            caller.Bus.TryRequestAsync(Ask, input, new() { Timeout = TimeSpan.FromMilliseconds(200) });

        var waiting = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => WaitAsync("waiting")));

        // The handler's node counts from the arrival of a request. One more timeout later it has dropped the five.
        var later = await WaitAsync("later");
        held.Release();
        await first;
        await StopAsync(server);
        Assert.That(waiting.Append(later).Select(r => r.Status), Is.All.EqualTo(StatusCode.DeadlinePassed));
        Assert.That(handled.All, Has.None.EqualTo("waiting").And.Contains("first"));
    }

    [Test]
    public async Task A_handler_never_exceeds_its_MaxConcurrency()
    {
        var (running, most) = (0, 0);
        await StartAsync(mesh => mesh.AddHandler(
            Ask,
            async (string input, HandlerContext _) =>
            {
                var now = Interlocked.Increment(ref running);
                InterlockedMax(ref most, now);
                await Task.Yield();
                Interlocked.Decrement(ref running);
                return input;
            },
            options => (options.MaxConcurrency, options.MaxQueued) = (3, 1000)));
        var callers = await StartAsync(2, _ => { });

        var answers = await Task.WhenAll(Enumerable.Range(0, 500).Select(i => callers[i % 2].Bus.RequestAsync(Ask, $"{i}")));

        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 500).Select(i => $"{i}")));
        Assert.That(most, Is.InRange(1, 3));
    }

    [Test]
    public async Task Each_handler_of_a_node_has_its_own_limits()
    {
        var held = new Held();
        await StartAsync(
            mesh => mesh.AddHandler(Ask, held.HandleAsync).AddHandler(Other, Echo),
            ("Handler:MaxConcurrency", "1"), ("Handler:MaxQueued", "0"));
        var caller = await StartAsync();
        var first = caller.Bus.RequestAsync(Ask, "first");
        await held.EnteredAsync();

        Assert.That(await caller.Bus.RequestAsync(Other, "free"), Is.EqualTo("free"));

        held.Release();
        await first;
    }

    private static void InterlockedMax(ref int most, int value)
    {
        int seen;
        while (value > (seen = Volatile.Read(ref most)) && Interlocked.CompareExchange(ref most, value, seen) != seen)
        {
        }
    }
}
