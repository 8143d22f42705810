using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class ConsistentHashTests
{
    private const int Keys = 10_000;

    [Test]
    public void Equal_keys_go_to_the_same_endpoint_in_every_client()
    {
        var endpoints = new Endpoints(1, 1, 1, 1, 1);
        var here = endpoints.Balancer("ConsistentHash", seed: 1);
        var there = endpoints.Balancer("ConsistentHash", seed: 2);
        there.Update([.. endpoints.All.Reverse()]);
        Assert.That(Owners(here), Is.EqualTo(Owners(there)));
    }

    [Test]
    public void A_key_has_the_same_owner_in_every_release()
    {
        var balancer = new Endpoints(1, 1, 1, 1, 1).Balancer("ConsistentHash");
        var owners = string.Concat(Enumerable.Range(0, 12).Select(i => Endpoints.NameOf(balancer.Pick(new() { Key = $"customer-{i}" }))));
        Assert.That(owners, Is.EqualTo("badbdbddadce"));
    }

    [Test]
    public void Keys_are_spread_by_weight()
    {
        var endpoints = new Endpoints(1, 1, 2);
        var shares = Owners(endpoints.Balancer("ConsistentHash")).CountBy(o => o).OrderBy(p => p.Key).Select(p => p.Value / (double)Keys);
        double[] expected = [0.25, 0.25, 0.5];
        Assert.That(shares, Is.EqualTo(expected).Within(0.02));
    }

    [Test]
    public void An_endpoint_that_leaves_moves_few_keys_of_others()
    {
        var endpoints = new Endpoints([.. Enumerable.Repeat(1, 10)]);
        var balancer = endpoints.Balancer("ConsistentHash");
        var before = Owners(balancer);
        balancer.Update(endpoints.All.RemoveAt(3));
        var moved = before.Zip(Owners(balancer)).Where(p => p.First != p.Second).ToArray();
        Assert.That(moved.Count(m => m.First != "d") / (double)Keys, Is.LessThan(0.03), "keys of endpoints that stayed");
        Assert.That(
            moved.Where(m => m.First == "d").Select(m => m.Second).Distinct().Count(), Is.EqualTo(9), "its keys went to all others");
    }

    [Test]
    public void An_unavailable_endpoint_moves_only_its_keys_and_regains_them()
    {
        var endpoints = new Endpoints([.. Enumerable.Repeat(1, 10)]);
        var balancer = endpoints.Balancer("ConsistentHash");
        var before = Owners(balancer);
        endpoints[3].State = EndpointState.Unreachable;
        var moved = before.Zip(Owners(balancer)).Where(p => p.First != p.Second).ToArray();
        Assert.That(moved.Select(m => m.First).Distinct(), Is.EqualTo(["d"]));
        Assert.That(moved.CountBy(m => m.Second).Max(p => p.Value) / (double)moved.Length, Is.LessThan(0.25), "they spread");
        endpoints[3].State = EndpointState.Healthy;
        Assert.That(Owners(balancer), Is.EqualTo(before));
    }

    private static string[] Owners(IBalancer balancer) =>
        [.. Enumerable.Range(0, Keys).Select(i => Endpoints.NameOf(balancer.Pick(new() { Key = $"customer-{i}" })))];
}
