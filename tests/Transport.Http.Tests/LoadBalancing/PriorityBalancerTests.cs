using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class PriorityBalancerTests
{
    [Test]
    public void The_next_priority_is_used_only_if_all_of_one_are_out()
    {
        var endpoints = new Endpoints(1);
        Endpoint[] first = [endpoints.Make(0), endpoints.Make(1)];
        Endpoint[] second = [endpoints.Make(2, priority: 10), endpoints.Make(3, priority: 10)];
        var balancer = endpoints.Balancer("RoundRobin");
        balancer.Update([.. second, .. first]);
        Assert.That(Picked(), Is.EqualTo("ab"));
        first[0].State = EndpointState.Unreachable;
        Assert.That(Picked(), Is.EqualTo("b"));
        first[1].State = EndpointState.Draining;
        Assert.That(Picked(), Is.EqualTo("cd"));
        first[0].State = EndpointState.Healthy;
        Assert.That(Picked(), Is.EqualTo("a"));

        string Picked() => string.Concat(Endpoints.Letters(balancer, 20).Distinct().Order());
    }

    [Test]
    public void A_request_that_tried_all_of_one_priority_uses_the_next()
    {
        var endpoints = new Endpoints(1);
        var (first, second) = (endpoints.Make(0), endpoints.Make(1, priority: 1));
        var balancer = endpoints.Balancer("Random");
        balancer.Update([first, second]);
        Assert.That(balancer.Pick(new() { Tried = [first] }), Is.SameAs(second));
        Assert.That(balancer.Pick(new() { Tried = [first, second] }), Is.SameAs(first));
    }

    [Test]
    public void An_unknown_balancer_is_refused_with_the_known_names()
    {
        var failure = Assert.Throws<ArgumentException>(() => new BalancerKinds([]).Create("Fastest", new()));
        Assert.That(failure!.Message, Does.StartWith(
            "The balancer 'Fastest' is unknown. Known balancers are PowerOfTwoChoices, RoundRobin, WeightedRoundRobin, Random,"));
    }

    [Test]
    public void A_custom_balancer_is_found_by_its_name()
    {
        var endpoints = new Endpoints(1, 1);
        var own = new RecentlyUsed(new());
        var balancer = new BalancerKinds([new("Mine", _ => own)]).Create("mine", new());
        balancer.Update(endpoints.All);
        Assert.That(balancer.Pick(default), Is.SameAs(own.Pick(default)));
    }
}
