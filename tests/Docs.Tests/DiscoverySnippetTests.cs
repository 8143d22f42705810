using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using NUnit.Framework;
using ServiceMesh.Http;
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
            new() { Dns = new StubResolver(), Logger = NullLogger.Instance, Clock = new AtOnce() });
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
    public async Task The_example_describes_a_host_or_its_failure()
    {
        foreach (var (records, expected) in new[] { (1, "a is 127.0.0.1 for 60 seconds"), (0, "a has no address"), (-1, "silence") })
        {
            Assert.That(await Discovery.DescribeAsync(new Dns(records), "a", Token), Is.EqualTo(expected));
        }
    }

    private sealed class Inventory : IInventory
    {
        private int _asked;

        public Task<IReadOnlyList<(string Host, int Port)>> FindAsync(string service, CancellationToken cancellationToken) =>
            ++_asked == 2 ? throw new IOException("closed") : Task.FromResult<IReadOnlyList<(string, int)>>([($"{service}{_asked}", 5080)]);
    }

    private sealed class Dns(int records) : IDnsResolver
    {
        public Task<DnsAnswer<DnsAddress>> ResolveAddressesAsync(string name, CancellationToken cancellationToken = default) => records < 0
            ? throw new DnsException("silence")
            : Task.FromResult(new DnsAnswer<DnsAddress>(
                [.. Enumerable.Repeat(new DnsAddress(IPAddress.Loopback, TimeSpan.FromMinutes(1)), records)], TimeSpan.FromMinutes(1)));

        public Task<DnsAnswer<DnsService>> ResolveServicesAsync(string name, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public Task<DnsAnswer<DnsText>> ResolveTextsAsync(string name, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();
    }

    /// <summary>A clock on which every wait ends at once.</summary>
    private sealed class AtOnce : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
