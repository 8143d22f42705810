using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class RecentlyUsedTests
{
    [Test]
    public void The_balancer_stays_with_one_endpoint_while_it_works()
    {
        var endpoints = new Endpoints(1, 1, 1);
        var letters = Endpoints.Letters(endpoints.Balancer("RecentlyUsed"), 50);
        Assert.That(letters.Distinct().Count(), Is.EqualTo(1));
    }

    [Test]
    public void The_balancer_changes_after_a_failure_to_the_endpoint_that_worked_last()
    {
        var endpoints = new Endpoints(1, 1, 1);
        var balancer = endpoints.Balancer("RecentlyUsed");
        var first = balancer.Pick(default)!;
        var others = endpoints.All.Remove(first);
        others[0].RecordSuccess(TimeSpan.FromMilliseconds(1));
        endpoints.Clock.Advance(TimeSpan.FromSeconds(1));
        others[1].RecordSuccess(TimeSpan.FromMilliseconds(1));
        first.RecordFailure();
        Assert.That(balancer.Pick(default), Is.SameAs(others[1]));
        first.RecordSuccess(TimeSpan.FromMilliseconds(1));
        Assert.That(balancer.Pick(default), Is.SameAs(others[1]), "it stays where it is now");
    }

    [Test]
    public void A_retry_at_another_endpoint_does_not_move_other_requests()
    {
        var endpoints = new Endpoints(1, 1, 1);
        var balancer = endpoints.Balancer("RecentlyUsed");
        var first = balancer.Pick(default)!;
        Assert.That(balancer.Pick(new() { Tried = [first] }), Is.Not.SameAs(first));
        Assert.That(balancer.Pick(default), Is.SameAs(first));
    }
}
