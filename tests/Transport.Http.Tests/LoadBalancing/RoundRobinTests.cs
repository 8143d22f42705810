using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class RoundRobinTests
{
    [Test]
    public void Endpoints_take_turns()
    {
        var letters = Endpoints.Letters(new Endpoints(1, 1, 1).Balancer("RoundRobin"), 9);
        Assert.That("abcabcabcabc", Does.Contain(letters));
    }

    [Test]
    public void The_share_of_a_missing_endpoint_is_spread_evenly()
    {
        var endpoints = new Endpoints(1, 1, 1);
        var balancer = endpoints.Balancer("RoundRobin");
        endpoints[0].State = EndpointState.Unreachable;
        Assert.That(endpoints.Count(balancer, 1000), Is.EqualTo([0, 500, 500]));
    }

    [Test]
    public void The_weighted_circle_is_smooth()
    {
        // Somewhere in a circle that repeats itself.
        var letters = Endpoints.Letters(new Endpoints(5, 1, 1).Balancer("WeightedRoundRobin"), 14);
        Assert.That("aabacaaaabacaaaabacaa", Does.Contain(letters));
    }

    [TestCase(new[] { 1 }, new[] { 700 })]
    [TestCase(new[] { 10, 20, 40 }, new[] { 100, 200, 400 })]
    [TestCase(new[] { 65535, 65535, 65535, 65535 }, new[] { 175, 175, 175, 175 })]
    public void Weights_are_kept_exactly(int[] weights, int[] expected)
    {
        var endpoints = new Endpoints(weights);
        Assert.That(endpoints.Count(endpoints.Balancer("WeightedRoundRobin"), 700), Is.EqualTo(expected));
    }

    [Test]
    public void Weights_that_need_a_long_circle_are_approximated()
    {
        var endpoints = new Endpoints(65521, 32749, 1);
        var counts = endpoints.Count(endpoints.Balancer("WeightedRoundRobin"), 2 * WeightedRoundRobin.MaxCircle);
        Assert.That(counts[0] / (double)counts[1], Is.EqualTo(65521.0 / 32749).Within(0.01));
        Assert.That(counts[2], Is.InRange(1, 4));
    }

    [Test]
    public void An_endpoint_that_starts_slowly_receives_a_tenth_and_then_more()
    {
        var endpoints = new Endpoints(1, 1);
        var late = endpoints.Make(2, warm: false);
        var balancer = endpoints.Balancer("WeightedRoundRobin");
        balancer.Update([.. endpoints.All, late]);
        Assert.That(Share(), Is.EqualTo(0.1 / 2.1).Within(0.02));
        endpoints.Clock.Advance(TimeSpan.FromSeconds(10));
        Assert.That(Share(), Is.EqualTo(0.5 / 2.5).Within(0.02));
        endpoints.Clock.Advance(TimeSpan.FromSeconds(10));
        Assert.That(Share(), Is.EqualTo(1 / 3.0).Within(0.02));

        double Share() => Enumerable.Range(0, 6000).Count(_ => balancer.Pick(default) == late) / 6000.0;
    }
}
