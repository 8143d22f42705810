using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class OutlierEjectionTests
{
    [Test]
    public void Failures_in_a_row_eject_an_endpoint_for_a_time_and_then_it_is_back()
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
    public void A_success_in_between_begins_the_row_anew()
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
    public void An_endpoint_that_says_that_it_is_full_is_well()
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
    public void ConsecutiveFailures_is_how_many(int failures, string expected)
    {
        using var group = new TestedGroup(3, s => s.ConsecutiveFailures = failures);
        group.Fail(1, failures - 1);
        Assert.That(group.Out, Is.Empty);
        group.Fail(1, times: 1);
        Assert.That(group.Out, Is.EqualTo(expected));
    }

    [Test]
    public void It_comes_back_as_a_new_one_that_starts_slowly()
    {
        using var group = new TestedGroup(3);
        group.Pass(60);
        group.Fail(1);
        Assert.That(group[1].Latency.TotalSeconds, Is.EqualTo(5).Within(0.01));
        group.Pass(10);
        Assert.That((group[1].Latency.TotalMilliseconds, group[1].EffectiveWeight, group[1].LastFailed), Is.EqualTo((30.0, 0.1, false)).Using<(double L, double W, bool F)>((a, b) => Math.Abs(a.L - b.L) < 0.1 && Math.Abs(a.W - b.W) < 0.001 && a.F == b.F));
        group.Pass(10);
        Assert.That(group[1].EffectiveWeight, Is.EqualTo(0.5).Within(0.001));
        group.Fail(1, times: 4);
        Assert.That(group.Out, Is.Empty, "what it did before is forgotten");
    }

    [Test]
    public void Each_time_it_is_out_for_longer_up_to_a_limit()
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
    public void Each_time_as_long_that_it_stays_in_takes_one_off()
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
    public void What_fails_while_it_is_out_changes_nothing()
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
    public void At_most_three_in_ten_are_out_but_one_in_any_case(int size, int most)
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
    public void MostEjected_is_the_share_that_may_be_out(double share, int most)
    {
        using var group = new TestedGroup(10, s => s.MaxEjected = share);
        for (var i = 0; i < 10; i++)
        {
            group.Fail(i);
        }

        Assert.That(group.Ejection.Ejected, Is.EqualTo(most));
    }

    [Test]
    public void A_lone_endpoint_is_never_ejected()
    {
        using var group = new TestedGroup(1);
        group.Fail(0, times: 1000);
        Assert.That((group.Out, group.Picked()), Is.EqualTo(("", "a")));
    }

    [Test]
    public void When_too_few_are_left_all_are_used_until_enough_are_back()
    {
        using var group = new TestedGroup(4);
        group.Fail(0);
        group[1].State = EndpointState.Unreachable;
        Assert.That((group.Ejection.Panics, group.Picked()), Is.EqualTo((false, "cd")), "half is not less than half");
        group[2].State = EndpointState.Unreachable;
        Assert.That((group.Ejection.Panics, group.Picked()), Is.EqualTo((true, "ad")));
        Assert.That(group[0].IsEjected, Is.True, "it is out still, only nobody minds");
        group[1].State = EndpointState.Healthy;
        Assert.That((group.Ejection.Panics, group.Picked()), Is.EqualTo((false, "bd")));
    }

    [Test]
    public void Those_that_drain_do_not_count_as_missing()
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
    public void Who_leaves_the_group_is_out_of_it_and_makes_room()
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
    public void A_group_that_shrinks_takes_back_those_that_are_too_many_the_first_first()
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
    public void Under_load_of_many_threads_the_cap_holds_and_all_come_back()
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
        Assert.That(group.Told.Count(t => t.Contains("out", StringComparison.Ordinal)), Is.EqualTo(group.Told.Count(t => t.Contains("back", StringComparison.Ordinal))));
    }
}
