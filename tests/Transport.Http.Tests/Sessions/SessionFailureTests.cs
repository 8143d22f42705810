using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>A session that breaks: each message that it carried ends with a known outcome, and the next ones find another way.</summary>
[Parallelizable(ParallelScope.Children)]
public sealed class SessionFailureTests
{
    private static readonly TimeSpan s_noticed = TimeSpan.FromSeconds(5);

    [Test]
    public async Task A_broken_session_ends_each_waiting_request_at_once()
    {
        var held = new Held();
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, held.HandleAsync));
        await using var network = FaultProxy.Start(port);
        await using var caller = await CallerAsync(network);
        await caller.OpenAsync(server);
        var asking = Enumerable.Range(0, 10).Select(i => caller.Bus.TryRequestAsync(Ask, $"{i}")).ToArray();
        for (var i = 0; i < asking.Length; i++)
        {
            await held.EnteredAsync();
        }

        network.Reset();
        var replies = await Task.WhenAll(asking).InTime();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(replies.Select(r => r.Status), Is.All.EqualTo(StatusCode.Unavailable));
            Assert.That(replies.Select(r => r.Failure!.NotProcessed), Is.All.False, "their handlers run");
            Assert.That(replies.Select(r => r.Failure!.Message), Is.All.Contains("not known whether a handler ran"));
        }

        await held.Cancelled; // the caller is gone, so its handlers are told
        held.Release();
        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(Ask, "after")).Value == "after");
        await caller.OpenAsync(server);
    }

    [Test]
    public async Task A_repeatable_request_of_a_broken_session_goes_to_another_node()
    {
        int[] ports = [FreePort.Next(), FreePort.Next()];
        var entered = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var repeatable = new RequestTopic<string, int>("test.repeatable") { IsIdempotent = true };
        Task<TestNode> ServerAsync(int index) => SessionNodes.ServerAsync(ports[index], mesh => mesh.AddHandler(
            repeatable, async (_, context) =>
            {
                if (entered.TrySetResult(index))
                {
                    await Task.Delay(Timeout.Infinite, context.CancellationToken);
                }

                return index;
            }));
        await using var one = await ServerAsync(0);
        await using var other = await ServerAsync(1);
        FaultProxy[] networks = [FaultProxy.Start(ports[0]), FaultProxy.Start(ports[1])];
        await using var caller = await SessionNodes.CallerAsync([PortOf(networks[0]), PortOf(networks[1])]);
        await caller.OpenAsync(one, other);
        var asking = caller.Bus.RequestAsync(repeatable, "x");
        var first = await entered.Task.InTime();

        networks[first].Reset();

        Assert.That(await asking.InTime(), Is.EqualTo(1 - first));
        await Task.WhenAll(networks.Select(network => network.DisposeAsync().AsTask()));
    }

    [TestCase(FaultDirection.ToServer)]
    [TestCase(FaultDirection.ToClient)]
    [TestCase(FaultDirection.Both)]
    public async Task A_silent_half_open_session_ends_at_both_ends_within_5_s(FaultDirection direction)
    {
        var held = new Held();
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, held.HandleAsync));
        await using var network = FaultProxy.Start(port);
        await using var caller = await CallerAsync(network);
        await caller.OpenAsync(server);
        var asking = caller.Bus.TryRequestAsync(Ask, "x");
        await held.EnteredAsync();
        var (silentSince, lost) = (Stopwatch.GetTimestamp(), LostTime.Total);

        network.Silence(direction);
        var reply = await asking.InTime();
        var callerTook = Stopwatch.GetElapsedTime(silentSince);
        await held.Cancelled;
        var serverTook = Stopwatch.GetElapsedTime(silentSince);
        var mayTake = LostTime.WidenSince(s_noticed, lost);
        network.Heal();
        held.Release();

        using (Assert.EnterMultipleScope())
        {
            Assert.That((reply.Status, reply.Failure?.NotProcessed), Is.EqualTo((StatusCode.Unavailable, (bool?)false)));
            Assert.That(callerTook, Is.LessThan(mayTake), "the caller");
            Assert.That(serverTook, Is.LessThan(mayTake), "the server");
        }
    }

    [Test]
    public async Task An_idle_session_that_gets_no_answer_ends_too()
    {
        var port = FreePort.Next();
        await using var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input));
        await using var network = FaultProxy.Start(port);
        await using var caller = await CallerAsync(network);
        await caller.OpenAsync(server);
        var (silentSince, lost) = (Stopwatch.GetTimestamp(), LostTime.Total);

        network.Silence(FaultDirection.Both);
        await Failsafe.UntilAsync(() => caller.Sessions().Opened == 0 && server.Sessions().Callers.Count == 0);
        var took = Stopwatch.GetElapsedTime(silentSince);

        Assert.That(took, Is.LessThan(LostTime.WidenSince(s_noticed, lost)));
        Assert.That(caller.States().Single().WhyExchange, Does.Contain("has not answered"));
        network.Heal();
    }

    [Test]
    public async Task A_server_that_stops_ends_its_sessions_in_good_order()
    {
        var port = FreePort.Next();
        var server = await SessionNodes.ServerAsync(port, mesh => mesh.AddHandler(Ask, (input, _) => input));
        await using var caller = await SessionNodes.CallerAsync([port]);
        await caller.OpenAsync(server);

        await server.DisposeAsync().AsTask().InTime();

        await Failsafe.UntilAsync(() => caller.States().Single().WhyExchange is not null);
        Assert.That(caller.States().Single().WhyExchange, Is.EqualTo("the node leaves"));
        Assert.That(server.Log.Lines, Has.Some.Contains("ended: the node ended it"));
    }

    private static int PortOf(FaultProxy network) => int.Parse(network.Address.Split(':')[^1], CultureInfo.InvariantCulture);

    private static Task<TestNode> CallerAsync(FaultProxy network) => SessionNodes.CallerAsync([PortOf(network)]);
}
