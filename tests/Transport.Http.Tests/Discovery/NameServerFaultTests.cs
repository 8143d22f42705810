using System.Diagnostics;
using System.Net;
using DnsClient;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using ServiceMesh.Conformance;
using ServiceMesh.Support;
using static ServiceMesh.Http.Tests.HttpNodes;

namespace ServiceMesh.Http.Tests;

/// <summary>What callers see while name servers are silent, or while everything that they named is dead.</summary>
[CancelAfter(60_000)]
public sealed class NameServerFaultTests
{
    private const string Records = "--local-ttl=60";

    [TestCase(QueryType.AAAA)]
    [TestCase(QueryType.A)]
    public async Task A_silent_family_does_not_hold_back_the_first_request(QueryType silent, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var dns = ScriptedDnsServer.Start(query => query.Type == silent ? [] : query.Type == QueryType.A
            ? [query.Answer().A("weather.internal", "127.0.0.1").ToArray()]
            : [query.Answer().Aaaa("weather.internal", "::ffff:127.0.0.1").ToArray()]);
        using var http = Client($"dns://weather.internal:{server.Port}", dns.EndPoint);
        var watch = Stopwatch.StartNew();
        using var response = await http.GetAsync(new Uri("http://weather/"), cancellationToken);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(2)), "a silent server is waited for 2 s");
    }

    [TestCase(1)]
    [TestCase(2)]
    public async Task Dead_name_servers_before_a_working_one_do_not_fail_the_first_request(int dead, CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var silent = ScriptedDnsServer.Start(_ => []);
        await using var other = ScriptedDnsServer.Start(_ => []);
        await using var dns = await DnsServer.StartAsync("--host-record=weather.internal,127.0.0.1", Records);
        IPEndPoint[] servers = dead == 1 ? [silent.EndPoint, dns.EndPoint] : [silent.EndPoint, other.EndPoint, dns.EndPoint];
        using var http = Client($"dns://weather.internal:{server.Port}", servers);
        using var response = await http.GetAsync(new Uri("http://weather/"), cancellationToken);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task A_request_before_the_first_answer_says_that_the_name_is_not_resolved_yet(CancellationToken cancellationToken)
    {
        await using var silent = ScriptedDnsServer.Start(_ => []);
        using var http = Client("dns://weather.internal:80", [silent.EndPoint], o => o.Timeouts.Connect = TimeSpan.FromMilliseconds(100));
        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri("http://weather/"), cancellationToken));
        Assert.That(
            failure!.Message, Is.EqualTo("Service 'weather' has no endpoint: 'dns://weather.internal:80' has not been resolved yet."));

        await using var node = await StartAsync(
            null, ("Http:Services:weather:Address", "dns://weather.internal:80"), ("Http:Dns:Servers", $"{silent.EndPoint}"),
            ("Http:Timeouts:Connect", "00:00:00.1"));
        var reply = await node.Bus.TryRequestAsync(Ask, "", cancellationToken).InTime();
        Assert.That(reply.Failure!.Message, Does.Contain("'dns://weather.internal:80' has not been resolved yet"));
    }

    [Test]
    public async Task An_HttpClient_whose_servers_are_all_dead_finds_new_ones_at_once(CancellationToken cancellationToken)
    {
        await using var server = await FaultServer.StartAsync();
        await using var dns = await DnsServer.StartAsync(
            "--host-record=weather.internal,127.0.0.2", "--host-record=weather.internal,127.0.0.3", Records);
        using var http = Client($"dns://weather.internal:{server.Port}", dns.EndPoint);
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri("http://weather/"), cancellationToken));
        await dns.ChangeAsync("--host-record=weather.internal,127.0.0.1", Records);
        var watch = Stopwatch.StartNew();
        await Failsafe.UntilAsync(async () =>
        {
            try
            {
                using var response = await http.GetAsync(new Uri("http://weather/"), cancellationToken);
                return response.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
    }

    [Test]
    public async Task A_node_whose_peers_are_all_dead_finds_new_ones_at_once(CancellationToken cancellationToken)
    {
        var port = FreePort.Next();
        await using var dns = await DnsServer.StartAsync("--host-record=weather.internal,127.0.0.2", Records);
        await using var caller = await StartAsync(
            null, ("Http:Services:weather:Address", $"dns://weather.internal:{port}"), ("Http:Dns:Servers", $"{dns.EndPoint}"));
        await using var node = await StartAsync(
            mesh => mesh.AddHandler(Ask, (_, context) => context.NodeId), ("Http:Listen", $"http://127.0.0.1:{port}"),
            ("Http:Server:Hosts", "weather.internal"));
        await dns.ChangeAsync("--host-record=weather.internal,127.0.0.1", Records);
        var watch = Stopwatch.StartNew();
        await Failsafe.UntilAsync(async () => (await caller.Bus.TryRequestAsync(Ask, "", cancellationToken)).IsSuccess);
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
    }

    private static HttpClient Client(string address, IPEndPoint server) => Client(address, [server]);

    private static HttpClient Client(string address, IPEndPoint[] servers, Action<HttpTransportOptions>? configure = null)
    {
        var options = new HttpTransportOptions
        {
            Services = { ["weather"] = new() { Address = address } },
            Dns = { Servers = string.Join(',', servers.Select(s => s.ToString())) },
        };
        configure?.Invoke(options);
        return new(new ServiceMeshHandler(options));
    }
}
