using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>
/// A caller that cancels returns at once. Its handler's token fires: soon if the transport carries cancellation, otherwise at the
/// deadline.
/// </summary>
public abstract class CancellationTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [TestCase(true)]
    [TestCase(false)]
    public async Task The_callers_own_cancellation_is_an_operation_cancelled_exception(bool handlerHeedsToken)
    {
        var held = new Held(handlerHeedsToken);
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync));
        var caller = await StartAsync();
        using var cancellation = new CancellationTokenSource();

        var asking = caller.Bus.RequestAsync(Ask, "", cancellation.Token);
        var trying = caller.Bus.TryRequestAsync(Ask, "", cancellation.Token);
        await held.EnteredAsync();
        await held.EnteredAsync();
        var watch = Stopwatch.StartNew();
        await cancellation.CancelAsync();

        using (Assert.EnterMultipleScope())
        {
            await Assert.CatchAsync<OperationCanceledException>(() => asking);
            await Assert.CatchAsync<OperationCanceledException>(() => trying);
            Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(3)), "the caller does not wait for the handler");
        }

        held.Release();
    }

    [Test]
    public async Task The_handlers_token_fires_when_the_caller_leaves()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync));
        var caller = await StartAsync();
        using var cancellation = new CancellationTokenSource();

        // Without the capability the token fires at the deadline, which must be shorter than the limit of Failsafe.
        var timeout = Can(TransportFeatures.Cancellation) ? TimeSpan.FromSeconds(20) : TimeSpan.FromSeconds(1);
        var asking = caller.Bus.RequestAsync(Ask, "", new RequestOptions { Timeout = timeout }, cancellation.Token);
        await held.EnteredAsync();
        await cancellation.CancelAsync();

        var remaining = await held.Cancelled;
        if (Can(TransportFeatures.Cancellation))
        {
            Assert.That(remaining, Is.GreaterThan(TimeSpan.FromSeconds(5)), "long before the deadline");
        }

        await Assert.CatchAsync<OperationCanceledException>(() => asking);
    }

    [Test]
    public async Task A_handler_does_not_start_once_its_caller_has_cancelled()
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
        using var cancellation = new CancellationTokenSource();

        // Without the capability the token fires at the deadline.
        var timeout = Can(TransportFeatures.Cancellation) ? TimeSpan.FromSeconds(20) : TimeSpan.FromSeconds(1);
        var asking = caller.Bus.RequestAsync(Ask, "leaves", new RequestOptions { Timeout = timeout }, cancellation.Token);
        await doorway.Entered;
        await cancellation.CancelAsync();

        using (Assert.EnterMultipleScope())
        {
            await Assert.CatchAsync<OperationCanceledException>(() => asking);
            Assert.That((await doorway.Outcome).NotProcessed, Is.True);
            Assert.That(calls, Is.Zero);
        }

        // The place is released right after the answer, and no event reports it.
        await Failsafe.UntilAsync(async () => await caller.Bus.TryRequestAsync(Ask, "next") is { Value: "next" });
    }

    [Test]
    public async Task A_call_with_a_cancelled_token_sends_nothing()
    {
        var inbox = new Inbox<string>();
        var held = new Held();
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync).AddHandler(News, inbox.ReceiveAsync));
        var caller = await StartAsync();
        var fired = new CancellationToken(canceled: true);

        using (Assert.EnterMultipleScope())
        {
            await Assert.CatchAsync<OperationCanceledException>(() => caller.Bus.RequestAsync(Ask, "", fired));
            await Assert.CatchAsync<OperationCanceledException>(() => caller.Bus.TryRequestAsync(Ask, "", fired));
            await Assert.CatchAsync<OperationCanceledException>(() => caller.Bus.SignalAsync(News, "", fired));
        }

        held.Release();
        await StopAsync(server);
        Assert.That(held.Calls + inbox.All.Count, Is.Zero);
    }

    [Test]
    public async Task A_handlers_place_is_free_again_after_its_caller_has_left()
    {
        var held = new Held();
        await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync, options =>
        {
            options.MaxConcurrency = 1;
            options.MaxQueued = 0;
        }));
        var caller = await StartAsync();
        using var cancellation = new CancellationTokenSource();
        var asking = caller.Bus.RequestAsync(Ask, "", new RequestOptions { Timeout = TimeSpan.FromSeconds(2) }, cancellation.Token);
        await held.EnteredAsync();
        Assert.That((await caller.Bus.TryRequestAsync(Ask, "too many")).Status, Is.EqualTo(StatusCode.Overloaded));

        await cancellation.CancelAsync();
        await held.Cancelled;
        held.Release();

        // The place is released right after the token has fired, and no event reports it.
        await Failsafe.UntilAsync(async () => await caller.Bus.TryRequestAsync(Ask, "next") is { Value: "next" });
        await Assert.CatchAsync<OperationCanceledException>(() => asking);
    }

    [Test]
    public async Task Cancelling_one_request_leaves_the_others_alone()
    {
        var (left, stayed) = (new Held(), new Held());
        await StartAsync(mesh => mesh.AddHandler(Ask, left.HandleAsync).AddHandler(Other, stayed.HandleAsync));
        var caller = await StartAsync();
        using var cancellation = new CancellationTokenSource();
        var staying = caller.Bus.RequestAsync(Other, "stays");
        var asking = caller.Bus.RequestAsync(Ask, "leaves", new RequestOptions { Timeout = TimeSpan.FromSeconds(2) }, cancellation.Token);
        await left.EnteredAsync();
        await stayed.EnteredAsync();

        await cancellation.CancelAsync();
        await left.Cancelled;

        stayed.Release();
        Assert.That(await staying, Is.EqualTo("stays"));
        await Assert.CatchAsync<OperationCanceledException>(() => asking);
    }
}
