using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>Open circuits and ejections in what balancers choose.</summary>
public sealed class SelectionTests
{
    private static IEnumerable<string> Names => BalancerKind.BuiltIn.Select(k => k.Name);

    [TestCaseSource(nameof(Names))]
    public void An_endpoint_whose_circuit_is_open_is_not_chosen(string balancer)
    {
        using var group = new TestedGroup(4, balancer: balancer);
        group.Break(1);
        Assert.That(group.Picked(), Does.Not.Contain("b").And.Not.Empty);
        Assert.That(group.Balancer.Pick(new() { Tried = [group[0], group[2], group[3]] }), Is.Not.SameAs(group[1]));
    }

    [TestCaseSource(nameof(Names))]
    public void The_first_attempt_after_the_open_window_is_the_trial(string balancer)
    {
        using var group = new TestedGroup(4, balancer: balancer);
        for (var i = 0; i < 4; i++)
        {
            group.Succeed(i);
        }

        group.Break(1);
        group[1].RecordFailure(TimeSpan.FromSeconds(300)); // which no balancer by latency would choose
        group.Pass(10);
        Assert.That(group.Balancer.Pick(new() { Tried = [group[0]], Key = "k" }), Is.Not.Null);
        var trial = group.Balancer.Pick(new() { Key = "k" });
        Assert.That(trial, Is.SameAs(group[1]));
        Assert.That(trial!.Breaker.TryEnter(out var pass), Is.True);
        Assert.That(group.Picked(), Does.Not.Contain("b"), "one trial at a time");
        group.Pass(2);
        trial!.Breaker.Report(pass, failed: false);
        Assert.That((trial!.CanTake, trial.EffectiveWeight, trial.Latency.TotalMilliseconds), Is.EqualTo((true, 0.1, 30.0)).Using<(
            bool C,
            double W,
            double L)>((x, y) => x.C == y.C && Math.Abs(x.W - y.W) < 0.01 && Math.Abs(x.L - y.L) < 0.1), "it starts slowly");
    }

    [TestCaseSource(nameof(Names))]
    public void A_last_attempt_is_the_trial_only_after_a_full_interval(string balancer)
    {
        using var group = new TestedGroup(4, balancer: balancer);
        group.Break(1);
        group.Pass(10);
        Assert.That(group[1].Breaker.IsTrialDue, Is.True);
        Assert.That(PickedForLastAttempts(group), Does.Not.Contain("b").And.Not.Empty);
        Assert.That(
            group.Balancer.Pick(new() { IsLastAttempt = true, Tried = [group[0], group[2], group[3]] }),
            Is.SameAs(group[1]),
            "all others were tried");
        group.Pass(3);
        Assert.That(group.Balancer.Pick(new() { IsLastAttempt = true }), Is.SameAs(group[1]));
        Assert.That(group[1].Breaker.TryEnter(out _), Is.True);
        Assert.That(PickedForLastAttempts(group), Does.Not.Contain("b"), "one trial at a time");
    }

    [TestCaseSource(nameof(Names))]
    public void An_untried_ejected_endpoint_is_chosen_before_a_tried_one(string balancer)
    {
        using var group = new TestedGroup(2, balancer: balancer);
        group.Fail(1);
        Assert.That(group.Picked(), Is.EqualTo("a"));
        foreach (var isLast in new[] { false, true })
        {
            Assert.That(group.Balancer.Pick(new() { Tried = [group[0]], IsLastAttempt = isLast, Key = "k" }), Is.SameAs(group[1]));
            Assert.That(
                group.Balancer.Pick(new() { Tried = [group[0], group[1]], IsLastAttempt = isLast, Key = "k" }), Is.SameAs(group[0]));
        }
    }

    [Test]
    public void A_last_attempt_is_the_trial_at_once_if_no_circuit_is_closed()
    {
        using var group = new TestedGroup(2);
        group.Break(0);
        group.Break(1);
        Assert.That(group.Balancer.Pick(new() { IsLastAttempt = true }), Is.Null);
        group.Pass(10);
        Assert.That(group.Balancer.Pick(new() { IsLastAttempt = true }), Is.Not.Null);
    }

    [Test]
    public void A_last_attempt_uses_the_next_priority_before_a_trial()
    {
        using var group = new TestedGroup(0);
        group.Replace(group.Make(0), group.Make(1, priority: 1));
        group.Break(0);
        group.Pass(10);
        Assert.That((group.Balancer.Pick(new() { IsLastAttempt = true }), group.Balancer.Pick(default)), Is.EqualTo((group[1], group[0])));
    }

    [Test]
    public void A_service_with_plain_requests_only_returns_within_an_interval()
    {
        using var group = new TestedGroup(3);
        group.Break(0);
        var left = group[0].Breaker.OpenUntil!.Value - group.Clock.GetUtcNow();
        for (var passed = TimeSpan.Zero; group[0].Breaker.State != CircuitState.Closed; passed += TimeSpan.FromSeconds(0.1))
        {
            Assert.That(passed, Is.LessThanOrEqualTo(left + TimeSpan.FromSeconds(3.2)));
            var endpoint = group.Balancer.Pick(new() { IsLastAttempt = true })!;
            Assert.That(endpoint.Breaker.TryEnter(out var pass), Is.True);
            endpoint.Breaker.Report(pass, failed: false);
            group.Pass(0.1);
        }
    }

    [Test]
    public void A_circuit_opened_by_hand_has_no_trial()
    {
        using var group = new TestedGroup(2);
        group[0].Breaker.Open();
        group.Pass(100_000);
        Assert.That((PickedForLastAttempts(group), group.Picked()), Is.EqualTo(("b", "b")));
    }

    [Test]
    public void A_total_outage_is_tried_once_per_interval_and_ends_within_one()
    {
        using var group = new TestedGroup(3);
        var works = false;
        var trials = new int[3];

        // Ten calls a second for ten minutes, long enough for windows to grow to the longest.
        for (var i = 0; i < 6_000; i++)
        {
            Call();
        }

        Assert.That(group.Ejection.Panics, Is.True);
        Assert.That(trials, Is.All.InRange(195, 211), "about one in three seconds, at each");
        Assert.That(group.All.Select(e => e.Breaker.State), Is.All.Not.EqualTo(CircuitState.Closed));
        works = true;
        for (var i = 0; i < 32; i++)
        {
            Call();
        }

        Assert.That(
            (group.Ejection.Panics, group.All.Count(e => e.Breaker.State == CircuitState.Closed)),
            Is.EqualTo((false, 2)).Or.EqualTo((false, 3)));
        for (var i = 0; i < 70; i++)
        {
            Call();
        }

        Assert.That(
            group.All.Select(e => e.Breaker.State),
            Is.All.EqualTo(CircuitState.Closed),
            "the last one within one window, which has not grown");

        void Call()
        {
            if (group.Balancer.Pick(default) is { } endpoint && endpoint.Breaker.TryEnter(out var pass))
            {
                trials[group.All.IndexOf(endpoint)] += endpoint.Breaker.State == CircuitState.Closed ? 0 : 1;
                endpoint.Breaker.Report(pass, failed: !works);
            }

            group.Pass(0.1);
        }
    }

    [Test]
    public void The_open_window_is_respected_while_others_carry_the_load()
    {
        using var group = new TestedGroup(3);
        group.Break(0);
        group.Pass(7);
        Assert.That(group[0].Breaker.IsTrialDue, Is.False);
        group.Break(1);
        Assert.That((group.Ejection.Panics, group[0].Breaker.IsTrialDue), Is.EqualTo((true, true)), "now one of three is left");
        Assert.That(group[0].Breaker.TryEnter(out var pass), Is.True);
        group[0].Breaker.Report(pass, failed: false);
        Assert.That(group.Ejection.Panics, Is.False);
    }

    [Test]
    public void An_ejected_endpoint_is_chosen_if_no_other_handles_the_topic()
    {
        using var group = new TestedGroup(10);
        group.Fail(0);
        var route = new BalancerKinds([]).Create("RoundRobin", new() { Clock = group.Clock, Random = new Random(1) });
        route.Update([group[0]]);
        Assert.That((group.Ejection.Panics, route.Pick(default)), Is.EqualTo((false, group[0])));
        Assert.That(route.Pick(new() { Tried = [group[0]] }), Is.SameAs(group[0]));
        group[0].State = EndpointState.Draining;
        Assert.That(route.Pick(default), Is.Null);
    }

    [Test]
    public void The_next_priority_is_used_before_ejected_endpoints()
    {
        using var group = new TestedGroup(0);
        group.Replace(group.Make(0), group.Make(1, priority: 1), group.Make(2, priority: 1), group.Make(3, priority: 1));
        group.Fail(0);
        Assert.That(group.Picked(), Is.EqualTo("bcd"));
    }

    private static string PickedForLastAttempts(TestedGroup group) => string.Concat(
        Enumerable.Range(0, 300)
            .Select(i => TestedGroup.NameOf(group.Balancer.Pick(new() { IsLastAttempt = true, Key = $"{i}" })!)).Distinct().Order());

    [Test]
    public void Signals_go_to_ejected_endpoints_too()
    {
        using var group = new TestedGroup(3);
        group.Fail(0);
        group.Break(1);
        Assert.That((group[0].TryBegin(), group[1].TryBegin()), Is.EqualTo((true, true)));
    }

    [TestCaseSource(nameof(Names))]
    public void Picks_allocate_nothing_with_open_circuits_and_ejections(string balancer)
    {
        using var group = new TestedGroup(5, balancer: balancer);
        group.Fail(0);
        group.Break(1);
        Assert.That(
            Allocated.By(() =>
            {
                for (var i = 0; i < 1000; i++)
                {
                    group.Balancer.Pick(default);
                }
            }),
            Is.Zero);
    }
}
