using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>Handlers that block more threads than the pool has: deadlines and refusals do not wait for them.</summary>
public abstract class BlockedPoolTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    // The runtime alone adds one or two threads a second: it would take longer than the failsafe time to have so many.
    private const int Blocking = 200;

    [Test]
    public async Task Deadlines_and_refusals_do_not_wait_for_handlers_that_block()
    {
        var entered = 0;
        using var blocked = new ManualResetEventSlim();
        await StartAsync(mesh => mesh
            .AddHandler(
                Ask,
                (input, _) =>
                {
                    Interlocked.Increment(ref entered);
                    blocked.Wait();
                    return input;
                },
                options => (options.MaxConcurrency, options.MaxQueued) = (Blocking, 1))
            .AddHandler(Other, Echo));
        var caller = await StartAsync();
        try
        {
            var asking = Enumerable.Range(0, Blocking).Select(i => caller.Bus.TryRequestAsync(
                Ask, $"{i}", new() { Timeout = TimeSpan.FromMinutes(1) })).ToArray();
            var late = caller.Bus.TryRequestAsync(Ask, "late", new() { Timeout = TimeSpan.FromSeconds(1) });
            Assert.That((await late.InTime()).Status, Is.AnyOf(StatusCode.DeadlinePassed, StatusCode.Overloaded));

            await Failsafe.UntilAsync(() => Volatile.Read(ref entered) == Blocking);
            var timeout = new RequestOptions { Timeout = TimeSpan.FromSeconds(20) };
            Assert.That((await caller.Bus.TryRequestAsync(Other, "", timeout)).Status, Is.EqualTo(StatusCode.Ok), "another handler");
            var queued = caller.Bus.TryRequestAsync(Ask, "queued", timeout);
            var refused = caller.Bus.TryRequestAsync(Ask, "refused", timeout);
            Assert.That((await (await Task.WhenAny(queued, refused)).InTime()).Status, Is.EqualTo(StatusCode.Overloaded));

            blocked.Set();
            Assert.That((await Task.WhenAll(asking)).Select(r => r.Status), Is.All.EqualTo(StatusCode.Ok));
        }
        finally
        {
            blocked.Set();
        }
    }
}
