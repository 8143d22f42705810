using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>A node that shuts down says so first, finishes what it has, and loses no request.</summary>
public sealed class RollingRestartTests
{
    private const int Callers = 32;

    [TestCase("http", false)]
    [TestCase("h2c", true)]
    public async Task Three_servers_restart_one_after_the_other_under_load_and_no_request_fails(string scheme, bool http2)
    {
        int[] ports = [FreePort.Next(), FreePort.Next(), FreePort.Next()];
        Task<TestNode> ServerAsync(int port) => StartAsync(
            mesh => mesh.AddHandler(Ask, async (string input, HandlerContext context) =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), context.CancellationToken);
                return input;
            }),
            ("Http:Listen", $"{scheme}://127.0.0.1:{port}"));
        var servers = await Task.WhenAll(ports.Select(ServerAsync));
        await using var caller = await StartAsync(null, Service("servers", ports), ("Http:Services:servers:Http2", $"{http2}"));
        using var enough = new CancellationTokenSource();
        var answered = 0;
        var load = Enumerable.Range(0, Callers).Select(i => Task.Run(async () =>
        {
            var failures = new List<string>();
            for (var n = 0; !enough.IsCancellationRequested; n++)
            {
                var reply = await caller.Bus.TryRequestAsync(Ask, $"{i}.{n}");
                Interlocked.Increment(ref answered);
                if (reply.Value != $"{i}.{n}")
                {
                    failures.Add(reply.Failure?.Message ?? $"answered {reply.Value}");
                }
            }

            return failures;
        })).ToArray();

        for (var i = 0; i < ports.Length; i++)
        {
            var before = Volatile.Read(ref answered);
            await servers[i].DisposeAsync();
            servers[i] = await ServerAsync(ports[i]);

            // The new one is found, and there was load all the time.
            var id = servers[i].Bus.Node.Id;
            await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Any(n => n.Id == id) && Volatile.Read(ref answered) > before + 200);
        }

        await enough.CancelAsync();
        var failed = (await Task.WhenAll(load).InTime()).SelectMany(f => f).ToArray();
        await Task.WhenAll(servers.Select(s => s.DisposeAsync().AsTask()));
        Assert.That(failed, Is.Empty);
        Assert.That(answered, Is.GreaterThan(600));
    }
}
