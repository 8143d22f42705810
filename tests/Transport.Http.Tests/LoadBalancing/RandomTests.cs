using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class RandomTests
{
    [Test]
    public void Each_endpoint_has_the_same_probability_whatever_its_weight()
    {
        var endpoints = new Endpoints(9, 1, 1);
        Assert.That(endpoints.Count(endpoints.Balancer("Random"), 30_000), Is.All.EqualTo(10_000).Within(300));
    }

    [Test]
    public void The_remaining_endpoints_have_the_same_probability()
    {
        var endpoints = new Endpoints([.. Enumerable.Repeat(1, 20)]);
        var balancer = endpoints.Balancer("Random");
        foreach (var endpoint in endpoints.All[1..^2])
        {
            endpoint.State = EndpointState.Draining;
        }

        var counts = endpoints.Count(balancer, 30_000).Where(c => c > 0).ToArray();
        Assert.That(counts, Has.Length.EqualTo(3).And.All.EqualTo(10_000).Within(300));
    }

    [Test]
    public void Weights_are_probabilities()
    {
        var endpoints = new Endpoints(1, 2, 7);
        var counts = endpoints.Count(endpoints.Balancer("WeightedRandom"), 100_000);
        Assert.That(counts[0], Is.EqualTo(10_000).Within(500));
        Assert.That(counts[1], Is.EqualTo(20_000).Within(600));
    }

    [Test]
    public void The_share_of_a_missing_endpoint_is_spread_by_weight()
    {
        var endpoints = new Endpoints(1, 3, 6);
        var balancer = endpoints.Balancer("WeightedRandom");
        endpoints[2].State = EndpointState.Unreachable;
        var counts = endpoints.Count(balancer, 40_000);
        int[] expected = [10_000, 30_000, 0];
        Assert.That(counts, Is.EqualTo(expected).Within(500));
    }
}
