using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using static ServiceMesh.Conformance.Contracts;

namespace ServiceMesh.Conformance;

/// <summary>A bus before its start, after its stop, and one that is disposed without having been stopped.</summary>
public abstract class EndOfLifeTests<TFactory> : ConformanceFixture<TFactory>
    where TFactory : TransportFactory, new()
{
    [Test]
    public async Task Members_of_a_bus_that_does_not_run_do_what_the_contract_says()
    {
        var node = MakeBare(0, mesh => mesh.AddHandler(Ask, Echo));
        var bus = node.GetRequiredService<IServiceBus>();

        await AssertDoesNotRunAsync(bus, "has not started");
        await StartBareAsync(node);
        await Failsafe.UntilAsync(async () => (await bus.TryRequestAsync(Ask, "")).IsSuccess);
        await StopBareAsync(node);
        await AssertDoesNotRunAsync(bus, "has stopped");
        await node.DisposeAsync().AsTask().InTime();
        await AssertDoesNotRunAsync(bus, "has stopped");
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Messages_in_flight_end_typed_when_a_node_is_disposed_without_a_stop(bool asynchronously)
    {
        var thrown = new ConcurrentQueue<Exception>();
        var entered = new Inbox<string>();
        var unobserved = new ConcurrentQueue<Exception>();
        EventHandler<UnobservedTaskExceptionEventArgs> observe = (_, e) => unobserved.Enqueue(e.Exception);
        GC.Collect();
        GC.WaitForPendingFinalizers(); // what tests before have left behind
        TaskScheduler.UnobservedTaskException += observe;
        try
        {
            var node = MakeBare(0, mesh =>
            {
                mesh.Services.AddScoped<Dependency>();
                mesh.AddHandler(Ask, async (string input, HandlerContext context) =>
                {
                    await entered.ReceiveAsync(input, context);
                    try
                    {
                        await Task.Delay(Timeout.Infinite, context.CancellationToken);
                    }
                    catch (OperationCanceledException)
                    {
                        // What a handler does while it ends.
                    }

                    Try(() => context.Services.GetRequiredService<Dependency>());
                    Try(() => context.Services.GetRequiredService<IServiceScopeFactory>().CreateScope().Dispose());
                    Try(() => Assert.That(context.CancellationToken.IsCancellationRequested, Is.True));
                    Try(() => Assert.That(context.Remaining, Is.GreaterThanOrEqualTo(TimeSpan.Zero)));
                    Try(() => Assert.That(context.Bus.DescribeNode().Id, Is.EqualTo(context.NodeId)));
                    try
                    {
                        await context.Bus.TryRequestAsync(Other, input);
                        await context.Bus.SignalAsync(News, input);
                    }
                    catch (Exception failure)
                    {
                        thrown.Enqueue(failure);
                    }

                    return input;
                });
            });
            await StartBareAsync(node);
            var caller = MakeBare(1);
            await StartBareAsync(caller);
            var (inside, outside) = (node.GetRequiredService<IServiceBus>(), caller.GetRequiredService<IServiceBus>());
            await Failsafe.UntilAsync(async () => (await outside.ListNodesAsync()).Count == 2);
            var asking = Enumerable.Range(0, 10).Select(i => (i % 2 == 0 ? inside : outside).TryRequestAsync(Ask, $"{i}")).ToArray();
            await entered.NextAsync(asking.Length);

            if (asynchronously)
            {
                await node.DisposeAsync().AsTask().InTime();
            }
            else
            {
                await Task.Run(node.Dispose).InTime();
            }

            var replies = await Task.WhenAll(asking).InTime();
            Assert.That(replies.Select(r => r.Status), Is.All.EqualTo(StatusCode.Unavailable));
            await caller.DisposeAsync().AsTask().InTime();
        }
        finally
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            TaskScheduler.UnobservedTaskException -= observe;
        }

        Assert.That(unobserved, Is.Empty);
        Assert.That(
            thrown.Where(t => t is not (OperationCanceledException or TransportUnavailableException)), Is.Empty, "what handlers saw");

        void Try(Action act)
        {
            try
            {
                act();
            }
            catch (Exception failure)
            {
                thrown.Enqueue(failure);
            }
        }
    }

    private static async Task AssertDoesNotRunAsync(IServiceBus bus, string reason)
    {
        Assert.That(bus.DescribeNode().Id, Is.Not.Empty);
        var reply = await bus.TryRequestAsync(Ask, "").InTime();
        var composed = await bus.TryExecuteAsync(Ask | Ask, "").InTime();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((reply.Status, reply.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
            Assert.That(reply.Failure.Message, Does.Contain(reason));
            Assert.That((composed.Status, composed.Failure!.NotProcessed), Is.EqualTo((StatusCode.Unavailable, true)));
            Assert.That(() => bus.RequestAsync(Ask, "").InTime(), Throws.TypeOf<TransportUnavailableException>());
            Assert.That(() => bus.ExecuteAsync(Ask | Ask, "").InTime(), Throws.TypeOf<TransportUnavailableException>());
            Assert.That(() => bus.SignalAsync(News, "").InTime(), Throws.TypeOf<TransportUnavailableException>());
            Assert.That(
                () => bus.ListNodesAsync().InTime(), Throws.TypeOf<Transports.TransportException>().With.Message.Contains(reason));
            Assert.That(
                () => bus.SubscribeAsync(Other, (_, _) => Task.FromResult("")).InTime(), Throws.TypeOf<InvalidOperationException>());
            Assert.That(() => bus.SubscribeAsync(News, (_, _) => Task.CompletedTask).InTime(), Throws.TypeOf<InvalidOperationException>());
        }
    }

    private static async Task StopBareAsync(ServiceProvider node)
    {
        foreach (var service in node.GetServices<Microsoft.Extensions.Hosting.IHostedService>()
            .OfType<Microsoft.Extensions.Hosting.IHostedLifecycleService>())
        {
            await service.StoppingAsync(CancellationToken.None).InTime();
            await service.StoppedAsync(CancellationToken.None).InTime();
        }
    }

    internal sealed class Dependency;
}
