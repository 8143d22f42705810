using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>What every balancer must do.</summary>
public sealed class EveryBalancerTests
{
    private static IEnumerable<string> Names => BalancerKind.BuiltIn.Select(k => k.Name);

    [TestCaseSource(nameof(Names))]
    public void A_balancer_without_endpoints_picks_none(string name)
    {
        var endpoints = new Endpoints();
        Assert.That(endpoints.Balancer(name).Pick(default), Is.Null);
    }

    [TestCaseSource(nameof(Names))]
    public void A_tried_endpoint_is_avoided_while_there_is_another(string name)
    {
        var endpoints = new Endpoints(1, 1, 1);
        var balancer = endpoints.Balancer(name);
        for (var i = 0; i < 200; i++)
        {
            Assert.That(balancer.Pick(new() { Tried = [endpoints[0], endpoints[2]], Key = $"{i}" }), Is.SameAs(endpoints[1]));
        }
    }

    [TestCaseSource(nameof(Names))]
    public void A_tried_endpoint_is_picked_if_all_were_tried(string name)
    {
        var endpoints = new Endpoints(1, 1);
        Assert.That(endpoints.Balancer(name).Pick(new() { Tried = endpoints.All.AsSpan() }), Is.Not.Null);
    }

    [TestCaseSource(nameof(Names))]
    public void Draining_and_unreachable_endpoints_are_not_picked(string name)
    {
        var endpoints = new Endpoints(1, 9, 9);
        var balancer = endpoints.Balancer(name);
        endpoints[1].State = EndpointState.Draining;
        endpoints[2].State = EndpointState.Unreachable;
        for (var i = 0; i < 200; i++)
        {
            Assert.That(balancer.Pick(new() { Key = $"{i}" }), Is.SameAs(endpoints[0]));
        }

        Assert.That(balancer.Pick(new() { Tried = [endpoints[0]] }), Is.SameAs(endpoints[0]), "a tried one is better than one that drains");
        endpoints[0].State = EndpointState.Draining;
        Assert.That(balancer.Pick(default), Is.Null);
        endpoints[2].State = EndpointState.Healthy;
        Assert.That(balancer.Pick(default), Is.SameAs(endpoints[2]));
    }

    [TestCaseSource(nameof(Names))]
    public void An_endpoint_with_weight_0_is_not_picked(string name)
    {
        var endpoints = new Endpoints(0, 1, 0);
        var balancer = endpoints.Balancer(name);
        for (var i = 0; i < 200; i++)
        {
            Assert.That(balancer.Pick(new() { Key = $"{i}" }), Is.SameAs(endpoints[1]));
        }

        Assert.That(new Endpoints(0, 0).Balancer(name).Pick(new() { Key = "a" }), Is.Null);
    }

    [TestCaseSource(nameof(Names))]
    public void An_update_replaces_the_endpoints(string name)
    {
        var endpoints = new Endpoints(1, 1);
        var balancer = endpoints.Balancer(name);
        Assert.That(balancer.Pick(default), Is.Not.Null);
        var late = endpoints.Make(7);
        balancer.Update([late]);
        Assert.That(balancer.Pick(default), Is.SameAs(late));
        balancer.Update([]);
        Assert.That(balancer.Pick(default), Is.Null);
    }

    [TestCaseSource(nameof(Names))]
    public void Equal_endpoints_all_receive_traffic(string name)
    {
        var endpoints = new Endpoints(1, 1, 1, 1);
        var balancer = endpoints.Balancer(name);
        var counts = new int[4];
        for (var i = 0; i < 4000; i++)
        {
            var picked = balancer.Pick(default)!;
            picked.RecordBytes(100);
            counts[endpoints.All.IndexOf(picked)]++;
        }

        // One stays with one endpoint, which is its purpose.
        Assert.That(counts.Count(c => c is > 800 and < 1200), Is.EqualTo(name == "RecentlyUsed" ? 0 : 4), string.Join(' ', counts));
        Assert.That(counts.Max(), Is.EqualTo(4000).Or.LessThan(1200));
    }

    [TestCaseSource(nameof(Names))]
    public void A_pick_does_not_allocate(string name)
    {
        var endpoints = new Endpoints(5, 1, 1, 3);
        endpoints[3].State = EndpointState.Draining;
        var balancer = endpoints.Balancer(name);
        Endpoint[] tried = [endpoints[0]];
        Assert.That(Allocated.By(() => PickMany(balancer, tried)), Is.Zero);
    }

    [TestCaseSource(nameof(Names))]
    public void Picks_run_concurrently_with_picks_and_updates(string name)
    {
        var endpoints = new Endpoints(3, 1, 2, 1);
        var balancer = new BalancerKinds([]).Create(name, new());
        balancer.Update(endpoints.All);
        var less = endpoints.All[..2];
        var updates = 0;
        Parallel.For(0, 20_000, i =>
        {
            var picked = balancer.Pick(new() { Key = $"{i % 100}" });
            Assert.That(picked, Is.Not.Null);
            picked!.Begin();
            picked.RecordBytes(i);
            picked.RecordSuccess(TimeSpan.FromMilliseconds(i % 10));
            picked.End();
            if (i % 100 == 0 && Interlocked.Exchange(ref updates, 1) == 0)
            {
                balancer.Update(i % 200 == 0 ? less : endpoints.All);
                Volatile.Write(ref updates, 0);
            }
        });
        Assert.That(endpoints.All.Select(e => e.InFlight), Is.All.Zero);
    }

    private static void PickMany(IBalancer balancer, Endpoint[] tried)
    {
        for (var i = 0; i < 1000; i++)
        {
            balancer.Pick(default);
            balancer.Pick(new() { Key = "customer-17" });
            balancer.Pick(new() { Tried = tried });
        }
    }
}
