using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Faults.Tests;

/// <summary>Three nodes of the mesh, one of which is nearly always full: its refusals are "not processed" and cost no request.</summary>
[CancelAfter(60_000)]
public sealed class FullNodeTests
{
    private static readonly RequestTopic<int, int> s_ask = new("weather.ask");

    [Test]
    public async Task Plain_requests_go_to_other_nodes_and_each_runs_once(CancellationToken cancellationToken)
    {
        var (log, byTheFullNode) = (new ExecutionLog(), 0);
        int[] ports = [FreePort.Next(), FreePort.Next(), FreePort.Next()];
        await using var first = await NodeAsync(
            ports[0],
            ports,
            handler => (handler.MaxConcurrency, handler.MaxQueued) = (1, 0),
            async request =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken); // the node is full meanwhile
                Interlocked.Increment(ref byTheFullNode);
                Run(request);
            });
        await using var second = await NodeAsync(ports[1], ports, null, request => Task.Run(() => Run(request), cancellationToken));
        await using var third = await NodeAsync(ports[2], ports, null, request => Task.Run(() => Run(request), cancellationToken));
        await using var caller = await TestNode.StartAsync(mesh => mesh.AddHttpTransport(), Settings(null, ports));

        var replies = await Task.WhenAll(Enumerable.Range(0, 64).Select(c => Task.Run(
            async () =>
            {
                var own = new List<Reply<int>>();
                for (var i = 0; i < TestLength.Of(20, 500); i++)
                {
                    own.Add(await caller.Bus.TryRequestAsync(s_ask, (c * 1000) + i, cancellationToken));
                }

                return own;
            },
            cancellationToken)));

        Assert.That(replies.SelectMany(r => r).Where(r => !r.IsSuccess).Select(r => r.Failure!.Message), Is.Empty);
        Assert.That(log.ExecutedTwice, Is.Empty);
        Assert.That(log.Executions, Is.EqualTo(replies.Sum(r => r.Count)));
        Assert.That(
            byTheFullNode, Is.GreaterThan(0).And.LessThan(log.Executions / 4), "without refusals, round robin would give it a third");

        void Run(int request) => log.Executed($"{request}");
    }

    private static Task<TestNode> NodeAsync(
        int port, int[] all, Action<HandlerOptions>? options, Func<int, Task> run) => TestNode.StartAsync(
        mesh => mesh.AddHttpTransport().AddHandler(
            s_ask,
            async (request, _) =>
            {
                await run(request);
                return request;
            },
            options),
        Settings(port, all));

    private static (string, string)[] Settings(int? port, int[] all) =>
    [
        ("Transport", "Http"), ("ErrorPolicy", "Ignore"), ("DrainTimeout", "00:00:01"),
        ("Http:Services:weather:Address", $"static:{string.Join(',', all.Select(p => $"127.0.0.1:{p}"))}"),
        ("Http:Services:weather:Balancer", "RoundRobin"),
        .. port is null ? Array.Empty<(string, string)>() : [("Http:Listen", $"http://127.0.0.1:{port}")],
    ];
}
