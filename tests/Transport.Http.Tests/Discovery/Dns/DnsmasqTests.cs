using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>The stub resolver and a real server.</summary>
[CancelAfter(30_000)]
public sealed class DnsmasqTests
{
    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public async Task Addresses_of_both_families_and_through_aliases()
    {
        await using var server = await DnsServer.StartAsync(
            "--host-record=a.internal,10.0.0.1,fd00::1,60", "--host-record=a.internal,10.0.0.2,60",
            "--cname=b.internal,a.internal", "--cname=c.internal,b.internal", "--cname=d.internal,c.internal");
        var resolver = Resolver(server);
        foreach (var name in new[] { "a.internal", "b.internal.", "d.internal" })
        {
            var answer = await resolver.ResolveAddressesAsync(name, Token);
            Assert.That(answer.Records.Select(r => $"{r.Address}"), Is.EquivalentTo(["10.0.0.1", "10.0.0.2", "fd00::1"]), name);
        }
    }

    [Test]
    public async Task Services_with_priorities_and_weights()
    {
        await using var server = await DnsServer.StartAsync(
            "--local-ttl=17", "--host-record=a.internal,10.0.0.1",
            "--srv-host=_mesh._tcp.internal,a.internal,5080,0,10", "--srv-host=_mesh._tcp.internal,b.internal,5081,5,0");
        var answer = await Resolver(server).ResolveServicesAsync("_mesh._tcp.internal", Token);
        Assert.That(answer.Records.Select(r => (r.Target, r.Port, r.Priority, r.Weight)), Is.EquivalentTo([("a.internal", 5080, 0, 10), ("b.internal", 5081, 5, 0)]));
        Assert.That(answer.TimeToLive, Is.EqualTo(TimeSpan.FromSeconds(17)));
    }

    [Test]
    public async Task A_text_of_several_strings_is_joined()
    {
        await using var server = await DnsServer.StartAsync("--txt-record=t.internal,10.0.0.1:5080,;weight=2");
        var answer = await Resolver(server).ResolveTextsAsync("t.internal", Token);
        Assert.That(answer.Records.Single().Text, Is.EqualTo("10.0.0.1:5080;weight=2"));
    }

    [Test]
    public async Task An_answer_that_does_not_fit_comes_over_tcp()
    {
        await using var server = await DnsServer.StartAsync(
            [.. Enumerable.Range(0, 100).Select(i => $"--txt-record=big.internal,10.0.0.{i}:5080;name=server-{i:000}.internal")]);
        var answer = await Resolver(server).ResolveTextsAsync("big.internal", Token);
        Assert.That(answer.Records.Select(r => r.Text).Distinct().Count(), Is.EqualTo(100));
    }

    [Test]
    public async Task A_name_that_does_not_exist_and_one_without_such_records()
    {
        await using var server = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.1");
        var missing = await Resolver(server).ResolveAddressesAsync("none.internal", Token);
        var other = await Resolver(server).ResolveTextsAsync("a.internal", Token);
        Assert.That((missing.Records.Length, missing.NameExists), Is.EqualTo((0, false)));
        Assert.That((other.Records.Length, other.NameExists), Is.EqualTo((0, true)));
    }

    [Test]
    public async Task A_dead_first_server_is_passed_over()
    {
        await using var first = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.1");
        await using var second = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.2");
        await first.KillAsync();
        var resolver = new StubResolver(new() { Servers = [first.EndPoint, second.EndPoint], ResolvConfPath = "none" });
        Assert.That($"{(await resolver.ResolveAddressesAsync("a.internal", Token)).Records.Single().Address}", Is.EqualTo("10.0.0.2"));
    }

    [Test]
    public async Task A_server_that_knows_nobody_to_ask_refuses_and_that_is_no_answer()
    {
        await using var server = await DnsServer.StartAsync();
        Assert.That(async () => await Resolver(server).ResolveAddressesAsync("example.org", Token), Throws.TypeOf<DnsException>());
    }

    [Test]
    public async Task Traffic_follows_records_that_change_and_stays_where_it_was_when_the_server_is_gone()
    {
        await using var server = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.1", "--local-ttl=30");
        var clock = new FakeTimeProvider();
        await using var watched = Watched.Start("dns://a.internal:5080", clock, Resolver(server));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.1:5080"]));
        await server.ChangeAsync("--host-record=a.internal,10.0.0.2", "--local-ttl=30");
        await watched.WaitsAsync();
        clock.Advance(TimeSpan.FromSeconds(30));
        Assert.That(await watched.NextAsync(), Is.EqualTo(["10.0.0.2:5080"]));
        await server.KillAsync();
        await watched.WaitsAsync();
        clock.Advance(TimeSpan.FromSeconds(30));
        await watched.WaitsAsync();
        Assert.That(watched.Group.Failure, Does.Contain("No DNS server could tell about A a.internal"));
        Assert.That(watched.Group.Endpoints.Select(e => $"{e}"), Is.EqualTo(["10.0.0.2:5080"]));
        Assert.That(watched.Group.Age, Is.EqualTo(TimeSpan.FromSeconds(30)));
    }

    private static StubResolver Resolver(DnsServer server) => new(new() { Servers = [server.EndPoint], ResolvConfPath = "none" });
}
