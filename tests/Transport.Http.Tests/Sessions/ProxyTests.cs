using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>A proxy between two nodes: sessions pass, or the nodes use exchanges by themselves.</summary>
public sealed class ProxyTests
{
    [TestCase("nginx")]
    [TestCase("haproxy")]
    public async Task Nodes_behind_a_proxy_that_speaks_HTTP_1_use_exchanges(string kind)
    {
        var (front, back) = (FreePort.Next(), FreePort.Next());
        await using var proxy = kind == "nginx"
            ? await ProxyServer.StartNginxAsync([(front, back)])
            : await ProxyServer.StartHaproxyAsync([(front, back)]);
        var inbox = new Inbox<string>();
        await using var server = await HttpNodes.StartAsync(
            mesh => mesh.AddHandler(Ask, (input, _) => input).AddHandler(News, inbox.ReceiveAsync), Listen(back));
        await using var caller = await SessionNodes.CallerAsync([front], ("Http:Timeouts:Connect", "00:00:00.5"));
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 2);

        // The first request asks for a session. Until that is refused, and afterwards, messages use exchanges.
        await Failsafe.UntilAsync(async () =>
        {
            Assert.That(await caller.Bus.RequestAsync(Ask, "hello"), Is.EqualTo("hello"));
            return caller.States().Single().WhyExchange is not null;
        });
        await caller.Bus.SignalAsync(News, "news");

        var state = caller.States().Single();
        Assert.That(state.Uses, Is.EqualTo("exchange"));
        Assert.That(state.WhyExchange, kind == "nginx" ? Does.Contain("was not opened within") : Does.Contain("505"));
        Assert.That(await inbox.NextAsync(), Is.EqualTo("news"));
        Assert.That(await caller.Bus.RequestAsync(Ask, "still"), Is.EqualTo("still"));
    }

    [Test]
    public async Task A_session_passes_a_proxy_that_speaks_HTTP_2_to_both_sides()
    {
        var (front, back) = (FreePort.Next(), FreePort.Next());
        await using var proxy = await ProxyServer.StartHaproxyAsync([(front, back)], passesHttp2: true);
        await using var server = await SessionNodes.ServerAsync(back, mesh => mesh.AddHandler(Ask, (input, _) => input));
        await using var caller = await SessionNodes.CallerAsync([front]);
        await Failsafe.UntilAsync(async () => (await caller.Bus.ListNodesAsync()).Count == 2);

        await caller.OpenAsync(server);

        Assert.That(await caller.Bus.RequestAsync(Ask, "through"), Is.EqualTo("through"));
        Assert.That(caller.States().Single().Uses, Is.EqualTo("session"));
    }
}
