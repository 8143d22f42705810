using DnsClient;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Http;
using ServiceMesh.Support;
using Snippets;

namespace ServiceMesh.Docs.Tests;

/// <summary>The code and the tables of the document on discovery are right.</summary>
public sealed class DiscoverySnippetTests
{
    private static Document Reference => Repository.Documents.Single(d => d.Path == "docs/http-discovery.md");

    private static CancellationToken Token => TestContext.CurrentContext.CancellationToken;

    [Test]
    public void The_table_has_every_scheme_and_its_examples_can_be_read()
    {
        var rows = Reference.Table("scheme").Skip(1).ToArray();
        Assert.That(rows.SelectMany(r => r[0].Split(", ")).Select(s => s.Trim('`')), Is.EqualTo(AddressGroup.BuiltInSchemes));
        Assert.That(rows.Select(r => AddressGroup.Parse(r[1].Trim('`')).Scheme), Is.SubsetOf(AddressGroup.BuiltInSchemes));
    }

    [Test]
    public void The_table_has_every_balancer() =>
        Assert.That(Reference.Table("name").Skip(1).Select(r => r[0].Trim('`')), Is.EqualTo(BalancerKind.BuiltIn.Select(k => k.Name)));

    [Test]
    public void The_example_balancer_picks_the_first_endpoint_that_can_take_the_request()
    {
        Endpoint[] endpoints = [new(new("a", 1), TimeProvider.System), new(new("b", 2), TimeProvider.System)];
        var balancer = new FirstOfList();
        Assert.That(balancer.Pick(default), Is.Null);
        balancer.Update([.. endpoints]);
        Assert.That(balancer.Pick(default), Is.SameAs(endpoints[0]));
        Assert.That(balancer.Pick(new() { Tried = endpoints.AsSpan(0, 1) }), Is.SameAs(endpoints[1]));
        Assert.That(balancer.Pick(new() { Tried = endpoints }), Is.SameAs(endpoints[0]));
        endpoints[0].State = EndpointState.Draining;
        Assert.That(balancer.Pick(default), Is.SameAs(endpoints[1]));
    }

    [Test]
    public async Task The_example_resolver_is_registered_by_its_scheme_and_keeps_resolving()
    {
        var inventory = new Inventory();
        var collection = new ServiceCollection().AddSingleton<IInventory>(inventory);
        collection.AddServiceMesh().AddHttpTransport().AddInventory();
        await using var services = collection.BuildServiceProvider();
        var options = services.GetRequiredService<IOptionsMonitor<HttpTransportOptions>>().Get("");
        var kind = options.Resolvers.Single();
        var resolver = kind.Create(
            AddressGroup.Parse("inventory://weather", [kind.Scheme]),
            new() { Logger = NullLogger.Instance, Clock = new AtOnce() });
        var results = new List<string>();
        await foreach (var result in resolver.WatchAsync(Token))
        {
            results.Add(result.Failure ?? string.Join(' ', result.Addresses.Select(a => $"{a.Host}:{a.Port}")));
            if (results.Count == 3)
            {
                break;
            }
        }

        Assert.That(
            results, Is.EqualTo(["weather1:5080", "The inventory did not answer about 'inventory://weather': closed", "weather3:5080"]));
        Assert.That(options.Balancers.Single().Create(new()), Is.TypeOf<FirstOfList>());
    }

    [Test]
    public async Task The_own_DNS_client_asks_over_TCP()
    {
        await using var dns = await DnsServer.StartAsync("--host-record=a.internal,10.0.0.1");
        await using var services = new ServiceCollection().AddOwnDnsClient(dns.EndPoint).BuildServiceProvider();
        var client = services.GetRequiredService<ILookupClient>();
        Assert.That((await client.QueryAsync("a.internal", QueryType.A, cancellationToken: Token)).Answers, Has.Count.EqualTo(1));
        Assert.That((client.Settings.UseTcpOnly, client.Settings.UseCache), Is.EqualTo((true, false)));
    }

    private sealed class Inventory : IInventory
    {
        private int _asked;

        public Task<IReadOnlyList<(string Host, int Port)>> FindAsync(string service, CancellationToken cancellationToken) =>
            ++_asked == 2 ? throw new IOException("closed") : Task.FromResult<IReadOnlyList<(string, int)>>([($"{service}{_asked}", 5080)]);
    }

    /// <summary>A clock on which every wait ends at once.</summary>
    private sealed class AtOnce : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
