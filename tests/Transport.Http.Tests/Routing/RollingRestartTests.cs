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
    [TestCase("https", false)]
    public async Task Three_servers_restart_in_turn_under_load_without_a_failed_request(string scheme, bool http2)
    {
        using var certificates = new TestCertificates();
        int[] ports = [FreePort.Next(), FreePort.Next(), FreePort.Next()];
        Task<TestNode> ServerAsync(int port) => StartAsync(
            mesh => mesh.AddHandler(Ask, async (string input, HandlerContext context) =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), context.CancellationToken);
                return input;
            }),
            ("Http:Listen", $"{scheme}://127.0.0.1:{port}"), ("Http:Tls:Certificate", certificates.Server),
            ("Http:Tls:CertificateKey", certificates.ServerKey));
        var servers = await Task.WhenAll(ports.Select(ServerAsync));
        await using var caller = await StartAsync(
            null, Service("servers", ports), ("Http:Services:servers:Http2", $"{http2}"),
            ("Http:Services:servers:Tls", $"{scheme == "https"}"), ("Http:Tls:TrustedRoots", certificates.Authority));
        await using var load = new Load(caller.Bus, Callers);
        for (var i = 0; i < ports.Length; i++)
        {
            var before = load.Answered;
            await servers[i].DisposeAsync();
            servers[i] = await ServerAsync(ports[i]);

            // The new one is found, and there was load all the time.
            var id = servers[i].Bus.DescribeNode().Id;
            await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Any(n => n.Id == id) && load.Answered > before + 200);
        }

        Assert.That(await load.EndAsync(), Is.Empty);
        Assert.That(load.Answered, Is.GreaterThan(600));
        await Task.WhenAll(servers.Select(s => s.DisposeAsync().AsTask()));
    }
}
