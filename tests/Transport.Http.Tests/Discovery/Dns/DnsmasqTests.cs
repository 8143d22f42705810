using System.Net;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>What the documents promise of the DNS, asked of a real server.</summary>
[CancelAfter(30_000)]
public sealed class DnsmasqTests
{
    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public async Task Addresses_of_both_families_are_found_also_through_aliases()
    {
        await using var server = await DnsServer.StartAsync(
            "--host-record=a.internal,10.0.0.1,fd00::1,60", "--host-record=a.internal,10.0.0.2,60",
            "--cname=b.internal,a.internal", "--cname=c.internal,b.internal", "--cname=d.internal,c.internal");
        foreach (var name in new[] { "a.internal", "b.internal.", "d.internal" })
        {
            var answer = await Lookup(server).FindAddressesAsync(name, Token);
            Assert.That(answer.Records.Select(r => $"{r}"), Is.EquivalentTo(["10.0.0.1", "10.0.0.2", "fd00::1"]), name);
        }
    }

    [Test]
    public async Task An_alias_of_a_name_that_the_server_does_not_know_is_a_failure()
    {
        await using var server = await DnsServer.StartAsync("--cname=a.internal,example.org");
        await Assert.ThrowsAsync<DnsLookupException>(() => Lookup(server).FindAddressesAsync("a.internal", Token));
    }

    [Test]
    public async Task Services_have_priorities_weights_and_a_time_to_live()
    {
        await using var server = await DnsServer.StartAsync(
            "--local-ttl=17", "--host-record=a.internal,10.0.0.1",
            "--srv-host=_mesh._tcp.internal,a.internal,5080,0,10", "--srv-host=_mesh._tcp.internal,b.internal,5081,5,0");
        var answer = await Lookup(server).FindServicesAsync("_mesh._tcp.internal", Token);
        Assert.That(
            answer.Records.Select(r => (r.Target, r.Port, r.Priority, r.Weight)),
            Is.EquivalentTo([("a.internal", 5080, 0, 10), ("b.internal", 5081, 5, 0)]));
        Assert.That(answer.Records.Single(r => r.Priority == 0).Addresses.Single(), Is.EqualTo(IPAddress.Parse("10.0.0.1")), "sent along");
        Assert.That(answer.TimeToLive, Is.EqualTo(TimeSpan.FromSeconds(17)));
    }

    [Test]
    public async Task The_lowest_priority_is_used_until_its_servers_are_out()
    {
        await using var server = await DnsServer.StartAsync(
            "--host-record=a.internal,10.0.0.1", "--host-record=b.internal,10.0.0.2",
            "--srv-host=_mesh._tcp.internal,a.internal,5080,5,1", "--srv-host=_mesh._tcp.internal,b.internal,5080,1,1");
        var (picks, group) = await PickAsync(server, 10);
        Assert.That(picks.Keys, Is.EqualTo(["10.0.0.2:5080"]));
        group[0].State = EndpointState.Unreachable;
        Assert.That(Pick(group, 10).Keys, Is.EqualTo(["10.0.0.1:5080"]));
    }

    [Test]
    public async Task A_weight_belongs_to_the_target_however_many_addresses_it_has()
    {
        await using var server = await DnsServer.StartAsync(
            "--host-record=a.internal,10.0.0.1", "--host-record=a.internal,10.0.0.2", "--host-record=a.internal,10.0.0.3",
            "--host-record=b.internal,10.0.0.4",
            "--srv-host=_mesh._tcp.internal,a.internal,5080,0,10", "--srv-host=_mesh._tcp.internal,b.internal,5080,0,10");
        var (picks, _) = await PickAsync(server, 1000);
        Assert.That(picks["10.0.0.4:5080"], Is.EqualTo(500).Within(1), "the last turn of six is cut short");
        Assert.That((picks.Count, picks.Values.Sum()), Is.EqualTo((4, 1000)));
    }

    [Test]
    public async Task A_text_of_several_strings_is_joined()
    {
        await using var server = await DnsServer.StartAsync("--txt-record=t.internal,10.0.0.1:5080,;weight=2");
        var answer = await Lookup(server).FindTextsAsync("t.internal", Token);
        Assert.That(answer.Records.Single(), Is.EqualTo("10.0.0.1:5080;weight=2"));
    }

    [Test]
    public async Task An_answer_that_does_not_fit_comes_over_TCP()
    {
        await using var server = await DnsServer.StartAsync(
            [.. Enumerable.Range(0, 100).Select(i => $"--txt-record=big.internal,10.0.0.{i}:5080;name=server-{i:000}.internal")]);
        var answer = await Lookup(server).FindTextsAsync("big.internal", Token);
        Assert.That(answer.Records.Distinct().Count(), Is.EqualTo(100));
    }

    [Test]
    public async Task A_name_that_does_not_exist_and_one_without_such_records_are_empty_answers()
    {
        await using var server = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.1");
        Assert.That((await Lookup(server).FindAddressesAsync("none.internal", Token)).Records, Is.Empty);
        Assert.That((await Lookup(server).FindTextsAsync("a.internal", Token)).Records, Is.Empty);
    }

    [Test]
    public async Task A_dead_first_server_is_passed_over()
    {
        await using var first = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.1");
        await using var second = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.2");
        await first.KillAsync();
        var lookup = DnsLookupTests.Lookup(TimeProvider.System, [first.EndPoint, second.EndPoint]);
        var answer = await lookup.FindAddressesAsync("a.internal", Token);
        Assert.That($"{answer.Records.Single()}", Is.EqualTo("10.0.0.2"));
    }

    [Test]
    public async Task A_server_that_cannot_ask_others_refuses_and_that_is_not_an_answer()
    {
        await using var server = await DnsServer.StartAsync();
        await Assert.ThrowsAsync<DnsLookupException>(() => Lookup(server).FindAddressesAsync("example.org", Token));
    }

    [TestCase("weather", "10.0.0.1")]
    [TestCase("weather.other", "10.0.0.2")]
    [TestCase("weather.other.svc.internal", "10.0.0.2")]
    [TestCase("weather.other.svc.internal.", "10.0.0.2")]
    public async Task Names_are_found_through_the_search_list_of_Kubernetes(string name, string expected)
    {
        await using var server = await DnsServer.StartAsync(
            "--host-record=weather.mine.svc.internal,10.0.0.1", "--host-record=weather.other.svc.internal,10.0.0.2");
        using var conf = new TemporaryFile("search mine.svc.internal svc.internal internal\noptions ndots:5");
        await using var watched = Watched.Start(
            $"dns://{name}:5080", new FakeTimeProvider(), DnsLookupTests.Lookup(TimeProvider.System, [server.EndPoint], conf.Path));
        Assert.That(await watched.NextAsync(), Is.EqualTo([$"{expected}:5080"]));
    }

    [Test]
    public async Task Traffic_follows_changed_records_and_stays_when_the_server_is_gone()
    {
        await using var server = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.1", "--local-ttl=30");
        var clock = new FakeTimeProvider();
        await using var watched = Watched.Start("dns://a.internal:5080", clock, Lookup(server));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:5080"]));
        await server.ChangeAsync("--host-record=a.internal,10.0.0.2", "--local-ttl=30");
        await watched.WaitsAsync();
        clock.Advance(TimeSpan.FromSeconds(30));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.2:5080"]));
        await server.KillAsync();
        await watched.WaitsAsync();
        clock.Advance(TimeSpan.FromSeconds(30));
        await watched.WaitsAsync();
        Assert.That(watched.Group.Failure, Does.Contain("No DNS server answered A a.internal"));
        Assert.That(watched.Group.Endpoints.Select(e => $"{e}"), Is.EqualTo(["10.0.0.2:5080"]));
        Assert.That(watched.Group.Age, Is.EqualTo(TimeSpan.FromSeconds(30)));
    }

    private static DnsLookup Lookup(DnsServer server) => DnsLookupTests.Lookup(TimeProvider.System, [server.EndPoint]);

    private static async Task<(Dictionary<string, int> Picks, Endpoint[] Group)> PickAsync(DnsServer server, int count)
    {
        await using var watched = Watched.Start("dns+srv://_mesh._tcp.internal", new FakeTimeProvider(), Lookup(server));
        await watched.NextAsync();
        Endpoint[] group = [.. watched.Group.Endpoints];
        return (Pick(group, count), group);
    }

    private static Dictionary<string, int> Pick(Endpoint[] group, int count)
    {
        var balancer = new BalancerKinds([]).Create("WeightedRoundRobin", new());
        balancer.Update([.. group]);
        return Enumerable.Range(0, count).Select(_ => $"{balancer.Pick(default)}").CountBy(e => e).ToDictionary();
    }
}
