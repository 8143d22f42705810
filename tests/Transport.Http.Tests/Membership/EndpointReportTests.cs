using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>The present state of endpoints: in gauges, and in the node document.</summary>
public sealed class EndpointReportTests
{
    [Test]
    public async Task The_state_of_each_endpoint_is_a_gauge_and_is_in_the_node_document()
    {
        int[] ports = [FreePort.Next(), FreePort.Next(), FreePort.Next()];
        await using var server = await StartAsync(mesh => mesh.AddHandler(Ask, (input, _) => input), Listen(ports[0]));
        await using var caller = await StartAsync(
            mesh => mesh.AddHandler(new RequestTopic<string, string>("test.own"), (input, _) => input),
            Listen(ports[2]), Service("weather", ports[0], ports[1]));
        using var metrics = new RecordedMetrics(caller.Services);
        var endpoints = caller.Services.GetRequiredService<ServiceEndpoints>().Of("weather");
        await Failsafe.UntilAsync(() => endpoints.Single(e => e.Address.Port == ports[1]).State == EndpointState.Unreachable);
        EndpointProtection.Of(endpoints.Single(e => e.Address.Port == ports[0])).Breaker.Open();

        string Tags(int port) =>
            $"servicemesh.service=weather servicemesh.client=bus server.address=127.0.0.1 server.port={ports[port]}";
        Assert.That(
            Values("servicemesh.http.endpoint.state"), Is.EquivalentTo(new[] { (Tags(0), 0.0), (Tags(1), 2.0) }));
        Assert.That(
            Values("servicemesh.http.endpoint.circuit"), Is.EquivalentTo(new[] { (Tags(0), 2.0), (Tags(1), 0.0) }));
        Assert.That(
            Values("servicemesh.http.endpoint.ejected"), Is.EquivalentTo(new[] { (Tags(0), 0.0), (Tags(1), 0.0) }));

        using var http = new HttpClient();
        var url = new Uri($"http://127.0.0.1:{ports[2]}/mesh/v1/node");
        using var document = JsonDocument.Parse(await http.GetStringAsync(url));
        var first = document.RootElement.GetProperty("endpoints").EnumerateArray()
            .Single(e => e.GetProperty("address").GetString() == $"http://127.0.0.1:{ports[0]}");
        Assert.That(
            (first.GetProperty("service").GetString(), first.GetProperty("circuit").GetString(), first.GetProperty("node").GetString()),
            Is.EqualTo(("weather", "Open", server.Bus.DescribeNode().Id)));
        var second = document.RootElement.GetProperty("endpoints").EnumerateArray()
            .Single(e => e.GetProperty("address").GetString() == $"http://127.0.0.1:{ports[1]}");
        Assert.That(second.GetProperty("state").GetString(), Is.EqualTo("Unreachable"));
        Assert.That(second.GetProperty("trouble").GetString(), Is.Not.Empty);

        http.DefaultRequestHeaders.Add("mesh-watcher", "other.1");
        using var forNode = JsonDocument.Parse(await http.GetStringAsync(url));
        Assert.That(forNode.RootElement.TryGetProperty("endpoints", out _), Is.False);

        IEnumerable<(string, double)> Values(string gauge) => metrics.Observe(gauge).Select(m => (m.Tags, m.Value));
    }
}
