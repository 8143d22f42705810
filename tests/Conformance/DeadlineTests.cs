using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>A caller waits until its deadline and no longer, and its handler knows the deadline.</summary>
public abstract class DeadlineTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [TestCase(true)]
    [TestCase(false)]
    public async Task A_caller_gets_408_when_its_deadline_passes(bool handlerHeedsToken)
    {
        var held = new Held(handlerHeedsToken);
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync));
        var caller = await StartAsync();
        var timeout = TimeSpan.FromMilliseconds(250);

        var watch = Stopwatch.StartNew();
        var thrown = await Assert.ThrowsAsync<RequestTimedOutException>(
            () => caller.Bus.RequestAsync(Ask, "", new RequestOptions { Timeout = timeout }));
        var elapsed = watch.Elapsed;

        held.Release();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(thrown?.Failure.Status, Is.EqualTo(StatusCode.DeadlinePassed));
            Assert.That(thrown?.Failure.IsRetryable, Is.False, "a handler may have run");

            // Timers may fire some milliseconds early; a busy machine may be late, but not by the handler's ten minutes.
            Assert.That(elapsed, Is.GreaterThan(timeout - TimeSpan.FromMilliseconds(50)));
            Assert.That(elapsed, Is.LessThan(timeout + TimeSpan.FromSeconds(3)));
        }
    }

    [Test]
    public async Task The_configured_timeout_applies_when_the_call_sets_none()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync));
        var caller = await StartAsync(null, ("Request:Timeout", "00:00:00.200"));

        var reply = await caller.Bus.TryRequestAsync(Ask, "");

        Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
    }

    [Test]
    public async Task A_handler_knows_the_remaining_time()
    {
        var left = new RequestTopic<string, double>("conformance.left");
        await StartAsync(mesh => mesh.AddHandler(left, (_, context) => context.Remaining.TotalSeconds));
        var caller = await StartAsync();

        var seconds = await caller.Bus.RequestAsync(left, "", new RequestOptions { Timeout = TimeSpan.FromSeconds(15) });

        // Rounding up to whole milliseconds may add one.
        Assert.That(seconds, Is.InRange(5, 15.001));
    }

    [Test]
    public async Task The_handlers_own_timeout_applies_when_it_ends_first()
    {
        var left = new RequestTopic<string, double>("conformance.left");
        await StartAsync(mesh => mesh.AddHandler(
            left, (_, context) => context.Remaining.TotalSeconds, options => options.Timeout = TimeSpan.FromSeconds(7)));
        var caller = await StartAsync();

        var seconds = await caller.Bus.RequestAsync(left, "", new RequestOptions { Timeout = TimeSpan.FromSeconds(15) });

        Assert.That(seconds, Is.InRange(0.1, 7));
    }

    [Test]
    public async Task The_handlers_token_fires_when_the_deadline_passes()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync));
        var caller = await StartAsync();

        await caller.Bus.TryRequestAsync(Ask, "", new() { Timeout = TimeSpan.FromMilliseconds(250) });

        // Some milliseconds may be left: the caller and the handler have a timer each.
        Assert.That(await held.Cancelled, Is.LessThan(TimeSpan.FromMilliseconds(250)));
    }

    [Test]
    public async Task A_handler_passes_its_deadline_on_to_its_own_requests()
    {
        var first = new RequestTopic<string, double[]>("conformance.first");
        var second = new RequestTopic<string, double>("conformance.second");
        await StartAsync(mesh => mesh.AddHandler(second, (_, context) => context.Remaining.TotalSeconds));
        MeshNode? middle = null;
        middle = await StartAsync(mesh => mesh.AddHandler(first, async (string input, HandlerContext context) =>
        {
            var mine = context.Remaining.TotalSeconds;
            return new[] { mine, await middle!.Bus.RequestAsync(second, input, RequestOptions.Within(context)) };
        }));
        var caller = await StartAsync();

        var left = await caller.Bus.RequestAsync(first, "", new RequestOptions { Timeout = TimeSpan.FromSeconds(10) });

        Assert.That(left[1], Is.InRange(0.1, left[0] + 0.001));
    }

    [Test]
    public async Task A_handler_does_not_start_once_its_deadline_has_passed()
    {
        var (doorway, calls) = (new Doorway(), 0);
        await StartAsync(mesh =>
        {
            mesh.Services.AddKeyedSingleton<IHandlerMiddleware>(mesh.Name, doorway);
            mesh.AddHandler(
                Ask,
                (input, _) => { Interlocked.Increment(ref calls); return input; },
                options => (options.MaxConcurrency, options.MaxQueued) = (1, 0));
        });
        var caller = await StartAsync();

        var reply = await caller.Bus.TryRequestAsync(Ask, "late", new() { Timeout = TimeSpan.FromMilliseconds(250) });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(reply.Status, Is.EqualTo(StatusCode.DeadlinePassed));
            Assert.That((await doorway.Outcome).NotProcessed, Is.True);
            Assert.That(calls, Is.Zero);
        }

        // The place is released right after the answer, and no event reports it.
        await Failsafe.UntilAsync(async () => await caller.Bus.TryRequestAsync(Ask, "next") is { Value: "next" });
    }

    [Test]
    public async Task A_passed_deadline_does_not_affect_the_next_request()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync, options =>
        {
            options.MaxConcurrency = 1;
            options.MaxQueued = 0;
        }));
        var caller = await StartAsync();
        Assert.That(
            (await caller.Bus.TryRequestAsync(Ask, "late", new() { Timeout = TimeSpan.FromMilliseconds(200) })).Status,
            Is.EqualTo(StatusCode.DeadlinePassed));
        await held.Cancelled;

        held.Release();

        // The place is released right after the token has fired, and no event reports it.
        await Failsafe.UntilAsync(async () => await caller.Bus.TryRequestAsync(Ask, "next") is { Value: "next" });
    }
}
