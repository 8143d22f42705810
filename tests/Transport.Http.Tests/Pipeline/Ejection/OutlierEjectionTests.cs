using NUnit.Framework;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

public sealed class OutlierEjectionTests
{
    [Test]
    public void Consecutive_failures_eject_an_endpoint_for_a_time()
    {
        using var group = new TestedGroup(3);
        group.Fail(1, times: 4);
        Assert.That(group.Out, Is.Empty);
        group.Fail(1, times: 1);
        Assert.That((group.Out, group.Picked(), group[1].CanTake, group.Ejection.Ejected), Is.EqualTo(("b", "ac", false, 1)));
        group.Pass(9.999);
        Assert.That(group.Picked(), Is.EqualTo("ac"));
        group.Pass(0.001);
        Assert.That((group.Out, group.Picked(), group[1].CanTake, group.Ejection.Ejected), Is.EqualTo(("", "abc", true, 0)));
        Assert.That(group.Told, Is.EqualTo(["b out: ConsecutiveFailures, 1, 10 s", "b back: TimePassed, 1, 10 s"]));
    }

    [Test]
    public void A_success_restarts_the_count_of_consecutive_failures()
    {
        using var group = new TestedGroup(3);
        for (var i = 0; i < 4; i++)
        {
            group.Fail(1, times: 4);
            group.Succeed(1);
        }

        Assert.That(group.Out, Is.Empty);
    }

    [Test]
    public void An_endpoint_that_reports_overload_is_not_ejected()
    {
        using var group = new TestedGroup(3);
        for (var i = 0; i < 100; i++)
        {
            AttemptOutcome.OfAnswer(429, isFromNode: true, isNotProcessed: false, TimeSpan.FromSeconds(1), default).ApplyTo(group[1]);
            group.Pass(0.1);
        }

        Assert.That((group.Out, group[1].LastFailed), Is.EqualTo(("", true)));
    }

    [TestCase(1, "b")]
    [TestCase(8, "b")]
    public void ConsecutiveFailures_is_the_number_that_ejects(int failures, string expected)
    {
        using var group = new TestedGroup(3, s => s.ConsecutiveFailures = failures);
        group.Fail(1, failures - 1);
        Assert.That(group.Out, Is.Empty);
        group.Fail(1, times: 1);
        Assert.That(group.Out, Is.EqualTo(expected));
    }

    [Test]
    public void An_endpoint_returns_as_new_and_starts_slowly()
    {
        using var group = new TestedGroup(3);
        group.Pass(60);
        group.Fail(1);
        Assert.That(group[1].Latency.TotalSeconds, Is.EqualTo(5).Within(0.01));
        group.Pass(10);
        Assert.That(group[1].Latency.TotalMilliseconds, Is.EqualTo(30).Within(0.1));
        Assert.That(group[1].EffectiveWeight, Is.EqualTo(0.1).Within(0.001));
        Assert.That(group[1].LastFailed, Is.False);
        group.Pass(10);
        Assert.That(group[1].EffectiveWeight, Is.EqualTo(0.5).Within(0.001));
        group.Fail(1, times: 4);
        Assert.That(group.Out, Is.Empty, "what it did before is forgotten");
    }

    [Test]
    public void An_endpoint_that_was_unreachable_returns_when_it_answers_again()
    {
        using var group = new TestedGroup(3);
        for (var i = 0; i < 3; i++)
        {
            group.Fail(1, times: 5);
            group.Pass(10 * (i + 1));
        }

        group.Fail(1, times: 5); // for 40 s
        group[1].State = EndpointState.Unreachable;
        group.Pass(1);
        group[1].State = EndpointState.Healthy;

        Assert.That((group.Out, group[1].CanTake), Is.EqualTo(("", true)));
        Assert.That(group.Told[^1], Does.StartWith("b back: AnswersAgain"));
        group.Fail(1, times: 5);
        Assert.That(group.Told[^1], Is.EqualTo("b out: ConsecutiveFailures, 1, 10 s"), "the ejections before are forgotten");
    }

    [Test]
    public void An_endpoint_that_returns_is_assumed_to_be_as_quick_as_its_peers()
    {
        using var group = new TestedGroup(3);
        group.Pass(60);
        group.Succeed(0);
        group.Succeed(2);
        var usual = (group[0].Latency + group[2].Latency) / 2;
        group.Fail(1, times: 2);
        group[1].State = EndpointState.Unreachable;
        group.Pass(1);
        group[1].State = EndpointState.Healthy;
        Assert.That(group[1].Latency.TotalMilliseconds, Is.LessThan(usual.TotalMilliseconds + 1));

        group[1].RecordSuccess(TimeSpan.FromSeconds(5)); // it was asked before, and the network held the answer back

        Assert.That(group[1].Latency.TotalMilliseconds, Is.LessThan(usual.TotalMilliseconds + 1));
    }

    [Test]
    public void A_circuit_is_tried_soon_when_its_endpoint_answers_again()
    {
        using var group = new TestedGroup(3);
        var breaker = EndpointProtection.Of(group[1]).Breaker;
        OpenFor(40);
        group[1].State = EndpointState.Unreachable;
        group.Pass(1);
        Assert.That(breaker.IsTrialDue, Is.False);

        group[1].State = EndpointState.Healthy;
        group.Pass(3);

        Assert.That(breaker.IsTrialDue, Is.True);

        // Failed trials double the window.
        void OpenFor(int seconds)
        {
            for (var i = 0; i < 10; i++)
            {
                breaker.TryEnter(out var pass);
                breaker.Report(pass, failed: true);
                group.Pass(0.1);
            }

            for (var window = 10; window < seconds; window *= 2)
            {
                group.Pass(window);
                breaker.TryEnter(out var pass);
                breaker.Report(pass, failed: true);
            }
        }
    }

    [Test]
    public void Each_ejection_lasts_longer_up_to_a_limit()
    {
        using var group = new TestedGroup(3);
        for (var times = 1; times <= 32; times++)
        {
            group.Fail(1);
            Assert.That(group.Told[^1], Is.EqualTo($"b out: ConsecutiveFailures, {times}, {Math.Min(10 * times, 300)} s"));
            group.Pass(Math.Min(10 * times, 300));
            Assert.That(group.Out, Is.Empty);
        }
    }

    [Test]
    public void A_good_period_shortens_the_next_ejection()
    {
        using var group = new TestedGroup(3);
        for (var times = 1; times <= 3; times++)
        {
            group.Fail(1);
            group.Pass(10 * times);
        }

        group.Pass(25);
        group.Fail(1);
        Assert.That(group.Told[^1], Does.EndWith("2, 20 s"), "3 − 2 + 1");
        group.Pass(20);
        group.Pass(1000);
        group.Fail(1);
        Assert.That(group.Told[^1], Does.EndWith("1, 10 s"));
    }

    [Test]
    public void Failures_during_an_ejection_change_nothing()
    {
        using var group = new TestedGroup(3);
        group.Fail(1, times: 50);
        group.Pass(5);
        group.Fail(1, times: 50);
        group.Pass(5);
        Assert.That((group.Out, group.Told.Count), Is.EqualTo(("", 2)));
    }

    [TestCase(2, 1)]
    [TestCase(3, 1)]
    [TestCase(6, 1)]
    [TestCase(7, 2)]
    [TestCase(10, 3)]
    public void At_most_three_in_ten_are_ejected_but_always_one(int size, int most)
    {
        using var group = new TestedGroup(size);
        for (var i = 0; i < size; i++)
        {
            group.Fail(i);
        }

        Assert.That(group.Out, Is.EqualTo("abcdefghij"[..most]));
        group.Pass(10);
        group.Fail(size - 1, times: 1);
        Assert.That(group.Out, Is.EqualTo($"{"abcdefghij"[size - 1]}"), "spared before, its next failure asks again");
    }

    [TestCase(0.0, 0)]
    [TestCase(0.5, 5)]
    [TestCase(1.0, 10)]
    public void MaxEjected_is_the_share_that_may_be_ejected(double share, int most)
    {
        using var group = new TestedGroup(10, s => s.MaxEjected = share);
        for (var i = 0; i < 10; i++)
        {
            group.Fail(i);
        }

        Assert.That(group.Ejection.Ejected, Is.EqualTo(most));
    }

    [Test]
    public void The_only_endpoint_is_never_ejected()
    {
        using var group = new TestedGroup(1);
        group.Fail(0, times: 1000);
        Assert.That((group.Out, group.Picked()), Is.EqualTo(("", "a")));
    }

    [Test]
    public void A_group_with_too_few_endpoints_uses_all_of_them()
    {
        using var group = new TestedGroup(4);
        group.Fail(0);
        group[1].State = EndpointState.Unreachable;
        Assert.That((group.Ejection.Panics, group.Picked()), Is.EqualTo((false, "cd")), "half is not less than half");
        group[2].State = EndpointState.Unreachable;
        Assert.That((group.Ejection.Panics, group.Picked()), Is.EqualTo((true, "ad")));
        Assert.That(group[0].IsEjected, Is.True, "it is still ejected, which the group ignores");
        group[1].State = EndpointState.Healthy;
        Assert.That((group.Ejection.Panics, group.Picked()), Is.EqualTo((false, "bd")));
    }

    [Test]
    public void Draining_endpoints_do_not_count_as_missing()
    {
        using var group = new TestedGroup(4);
        group.Fail(0);
        group[1].State = EndpointState.Draining;
        group[2].State = EndpointState.Draining;
        Assert.That((group.Ejection.Panics, group.Picked()), Is.EqualTo((false, "d")), "one of two");
    }

    [TestCase(0.0, false)]
    [TestCase(0.7, true)]
    public void PanicThreshold_is_the_share_that_must_be_left(double threshold, bool panics)
    {
        using var group = new TestedGroup(3, s => s.PanicThreshold = threshold);
        group.Fail(0);
        Assert.That(group.Ejection.Panics, Is.EqualTo(panics));
    }

    [Test]
    public void An_endpoint_that_leaves_the_group_frees_its_ejection()
    {
        using var group = new TestedGroup(3);
        group.Fail(0);
        var gone = group[0];
        group.Replace(group[1], group[2], group.Make(3));
        Assert.That((gone.IsEjected, group.Ejection.Ejected), Is.EqualTo((false, 0)));
        group.Fail(0);
        Assert.That(group.Out, Is.EqualTo("b"));
        group.Pass(10);
        Assert.That((group.Out, group.Ejection.Ejected), Is.EqualTo(("", 0)));
    }

    [Test]
    public void A_group_that_shrinks_takes_the_earliest_ejections_back()
    {
        using var group = new TestedGroup(10);
        foreach (var index in new[] { 2, 0, 1 })
        {
            group.Fail(index);
            group.Pass(1);
        }

        group.Replace([.. group.All.Take(4)]);
        Assert.That((group.Out, group.Ejection.Ejected), Is.EqualTo(("b", 1)));
        Assert.That(group.Told.TakeLast(2), Is.EqualTo(["c back: GroupShrank, 1, 10 s", "a back: GroupShrank, 1, 10 s"]));
        group.Pass(100);
        Assert.That((group.Out, group.Ejection.Ejected), Is.EqualTo(("", 0)));
    }

    [Test]
    public void Recording_allocates_nothing()
    {
        using var group = new TestedGroup(3);
        Assert.That(
            Allocated.By(() =>
            {
                for (var i = 0; i < 2_000; i++)
                {
                    group.Succeed(0);
                    TestedGroup.Failure.ApplyTo(group[1]);
                    group.Succeed(1);
                }
            }),
            Is.Zero);
    }

    [Test]
    public void The_cap_holds_under_many_threads_and_all_endpoints_return()
    {
        using var group = new TestedGroup(10);
        var most = 0;
        group.Ejection.Changed += (_, _) => most = Math.Max(most, group.Ejection.Ejected);
        Parallel.For(0, 8, seed =>
        {
            var random = new Random(seed);
            for (var i = 0; i < 20_000; i++)
            {
                group.Fail(random.Next(10), times: random.Next(1, 7));
                group.Succeed(random.Next(10));
                if (i % 100 == 0)
                {
                    group.Pass(1);
                }
            }
        });
        Assert.That(most, Is.EqualTo(3));
        group.Pass(300);
        Assert.That((group.Out, group.Ejection.Ejected), Is.EqualTo(("", 0)));
        Assert.That(
            group.Told.Count(t => t.Contains("out", StringComparison.Ordinal)),
            Is.EqualTo(group.Told.Count(t => t.Contains("back", StringComparison.Ordinal))));
    }
}
