using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>A node that stops finishes the messages it has, refuses new ones, and takes a bounded time.</summary>
public abstract class DrainTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task A_draining_node_answers_requests_in_flight_and_refuses_new_ones()
    {
        var held = new Held();
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync));
        var caller = await StartAsync();
        var asking = caller.Bus.RequestAsync(Ask, "in flight");
        await held.EnteredAsync();

        var stopping = StopAsync(server);
        await Failsafe.UntilAsync(() => server.Bus.DescribeNode().IsDraining);
        var refused = await caller.Bus.TryRequestAsync(Ask, "new");
        held.Release();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(await asking, Is.EqualTo("in flight"));
            Assert.That(refused.Status, Is.AnyOf(StatusCode.Unavailable, StatusCode.NotFound));
            Assert.That(refused.Failure?.NotProcessed, Is.True);
            Assert.That(held.Calls, Is.EqualTo(1));
        }

        await stopping;
    }

    [Test]
    public async Task New_requests_go_to_another_member_while_a_node_drains()
    {
        var (leaving, staying) = (new Held(), new Held());
        staying.Release();
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, leaving.HandleAsync));
        var caller = await StartAsync();
        var asking = caller.Bus.RequestAsync(Ask, "in flight");
        await leaving.EnteredAsync();
        await StartAsync(mesh => mesh.AddHandler(Ask, staying.HandleAsync));

        var stopping = StopAsync(server);
        await Failsafe.UntilAsync(() => server.Bus.DescribeNode().IsDraining);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => caller.Bus.RequestAsync(Ask, $"{i}")));
        leaving.Release();

        Assert.That(await asking, Is.EqualTo("in flight"));
        await stopping;
        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 50).Select(i => $"{i}")));
        Assert.That((leaving.Calls, staying.Calls), Is.EqualTo((1, 50)));
    }

    [Test]
    public async Task A_queued_request_is_answered_or_was_not_processed()
    {
        var held = new Held();
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync, options => options.MaxConcurrency = 1));
        var caller = await StartAsync();
        var asking = Enumerable.Range(0, 20).Select(i => caller.Bus.TryRequestAsync(Ask, $"{i}")).ToArray();
        await held.EnteredAsync();

        var stopping = StopAsync(server);
        await Failsafe.UntilAsync(() => server.Bus.DescribeNode().IsDraining);
        held.Release();
        var replies = await Task.WhenAll(asking);
        await stopping;

        Assert.That(replies.Where(r => !r.IsSuccess).Select(r => r.Failure!.NotProcessed), Is.All.True);
        Assert.That(held.Calls, Is.EqualTo(replies.Count(r => r.IsSuccess)).And.GreaterThan(0));
    }

    [Test]
    public async Task A_handler_that_heeds_its_token_is_cancelled_after_the_drain_timeout()
    {
        var held = new Held();
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync), ("DrainTimeout", "00:00:00.200"));
        var caller = await StartAsync();
        var asking = caller.Bus.TryRequestAsync(Ask, "in flight");
        await held.EnteredAsync();

        await StopAsync(server);

        await held.Cancelled;
        var reply = await asking;
        Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.Unavailable, (bool?)false)));
    }

    [Test]
    public async Task A_handler_that_ignores_its_token_is_abandoned_and_its_caller_gets_503()
    {
        var held = new Held(heedsToken: false);
        var server = await StartAsync(mesh => mesh.AddHandler(Ask, held.HandleAsync), ("DrainTimeout", "00:00:00.200"));
        var caller = await StartAsync();
        var asking = caller.Bus.TryRequestAsync(Ask, "in flight");
        await held.EnteredAsync();

        var watch = Stopwatch.StartNew();
        await StopAsync(server);
        var elapsed = watch.Elapsed;

        var reply = await asking;
        held.Release();
        Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.Unavailable, (bool?)false)));
        Assert.That(elapsed, Is.LessThan(TimeSpan.FromSeconds(8)), "the time to drain, a second of grace, and a busy machine");
    }

    [Test]
    public async Task A_handler_in_flight_may_still_send_requests()
    {
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        MeshNode? server = null;
        server = await StartAsync(mesh => mesh.AddHandler(Ask, async (string input, HandlerContext context) =>
        {
            entered.SetResult();
            await go.Task;
            return await server!.Bus.RequestAsync(Other, input, context.CancellationToken);
        }));
        await StartAsync(mesh => mesh.AddHandler(Other, (input, _) => $"{input}, too"));
        var caller = await StartAsync();
        var asking = caller.Bus.RequestAsync(Ask, "this");
        await entered.Task.InTime();

        var stopping = StopAsync(server);
        await Failsafe.UntilAsync(() => server.Bus.DescribeNode().IsDraining);
        go.SetResult();

        Assert.That(await asking, Is.EqualTo("this, too"));
        await stopping;
    }

    [Test]
    public async Task Signals_in_flight_are_handled_and_later_ones_are_not()
    {
        var held = new Held();
        var finished = new Inbox<string>();
        var subscriber = await StartAsync(mesh => mesh.AddHandler(News, async (string news, HandlerContext context) =>
            finished.Put(await held.HandleAsync(news, context))));
        var sender = await StartAsync();
        await sender.Bus.SignalAsync(News, "before");
        await held.EnteredAsync();

        var stopping = StopAsync(subscriber);
        await Failsafe.UntilAsync(() => subscriber.Bus.DescribeNode().IsDraining);
        held.Release();
        await stopping;

        var sent = await sender.Bus.SignalAsync(News, "after");
        Assert.That(finished.All, Is.EqualTo(["before"]));
        Assert.That(sent.Receivers, IsCountOfNone);
    }

    [Test]
    public async Task A_stopped_node_refuses_to_send()
    {
        await StartAsync(mesh => mesh.AddHandler(Ask, Echo));
        var stopped = await StartAsync();
        await StopAsync(stopped);

        var reply = await stopped.Bus.TryRequestAsync(Ask, "");

        using (Assert.EnterMultipleScope())
        {
            Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.Unavailable, (bool?)true)));
            await Assert.ThrowsAsync<TransportUnavailableException>(() => stopped.Bus.SignalAsync(News, ""));
            await Assert.ThrowsAsync<InvalidOperationException>(() => stopped.Bus.SubscribeAsync(News, (_, _) => Task.CompletedTask));
        }
    }
}
