using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>A circuit from closed to open and back, and the effect of each option.</summary>
public sealed class CircuitBreakerTests
{
    [Test]
    public void A_new_circuit_is_closed()
    {
        var circuit = new TestedCircuit();
        Assert.That(
            (circuit.Breaker.State, circuit.Breaker.OpenUntil, circuit.Breaker.WouldAdmit, circuit.Breaker.IsTrialDue),
            Is.EqualTo((CircuitState.Closed, (DateTimeOffset?)null, true, false)));
        Assert.That(circuit.Begin().IsTrial, Is.False);
    }

    [Test]
    public void A_circuit_opens_is_tried_and_closes()
    {
        var circuit = new TestedCircuit().Trip();
        Assert.That((circuit.Breaker.State, circuit.IsRefused(), circuit.Breaker.WouldAdmit), Is.EqualTo((CircuitState.Open, true, false)));
        circuit.WaitForTrial();
        Assert.That(
            (circuit.Breaker.State, circuit.Breaker.WouldAdmit, circuit.Breaker.IsTrialDue),
            Is.EqualTo((CircuitState.Open, true, true)),
            "looking changes nothing");
        var trial = circuit.Begin();
        Assert.That(
            (trial.IsTrial, circuit.Breaker.State, circuit.IsRefused(), circuit.Breaker.WouldAdmit),
            Is.EqualTo((true, CircuitState.HalfOpen, true, false)));
        circuit.Breaker.Report(trial, failed: false);
        Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.Closed));
        Assert.That(circuit.History, Is.EqualTo("Closed-Open:FailureRate Open-HalfOpen:TrialAdmitted HalfOpen-Closed:TrialSucceeded"));
    }

    [Test]
    public void A_circuit_that_closes_forgets_earlier_outcomes()
    {
        var circuit = new TestedCircuit(s => s.CircuitOpenWindow = TimeSpan.FromSeconds(1)).Trip().WaitForTrial();
        circuit.Call(failed: false);
        circuit.Pass(1);
        circuit.Call(failed: true, times: 8);
        circuit.Pass(1);
        circuit.Call(failed: true);
        Assert.That(
            circuit.Breaker.State, Is.EqualTo(CircuitState.Closed), "9 calls are too few, and with the 11 of before they would not be");
    }

    [TestCase(0.5, 5, 5, true)]
    [TestCase(0.5, 4, 6, false)]
    [TestCase(0.2, 2, 8, true)]
    [TestCase(0.2, 1, 9, false)]
    [TestCase(1.0, 10, 0, true)]
    [TestCase(1.0, 9, 1, false)]
    [TestCase(0.0, 1, 9, true)]
    [TestCase(0.0, 0, 10, false)]
    public void FailureRateThreshold_is_the_failure_rate_that_opens_the_circuit(double threshold, int failures, int successes, bool opens)
    {
        var circuit = new TestedCircuit(s => s.FailureRateThreshold = threshold);
        circuit.Call(failed: true, failures);
        circuit.Call(failed: false, successes - 1);
        circuit.Pass(1);
        circuit.Call(failed: successes == 0);
        Assert.That(circuit.Breaker.State, Is.EqualTo(opens ? CircuitState.Open : CircuitState.Closed));
    }

    [TestCase(10, 9, false)]
    [TestCase(10, 10, true)]
    [TestCase(1, 1, true)]
    public void MinimumRequestThreshold_is_the_number_of_calls_that_opening_needs(int minimum, int calls, bool opens)
    {
        var circuit = new TestedCircuit(s => s.MinimumRequestThreshold = minimum);
        circuit.Call(failed: true, calls - 1);
        circuit.Pass(1);
        circuit.Call(failed: true);
        Assert.That(circuit.Breaker.State, Is.EqualTo(opens ? CircuitState.Open : CircuitState.Closed));
    }

    [TestCase(3)]
    [TestCase(7)]
    public void TrialRequestInterval_is_the_time_between_trials(int seconds)
    {
        var circuit = new TestedCircuit(s => s.TrialRequestInterval = TimeSpan.FromSeconds(seconds)).Trip().WaitForTrial();
        for (var i = 0; i < 5; i++)
        {
            Assert.That(circuit.Begin().IsTrial, Is.True);
            circuit.Pass(seconds - 0.001);
            Assert.That((circuit.IsRefused(), circuit.Breaker.IsTrialDue), Is.EqualTo((true, false)));
            circuit.Pass(0.001);
            Assert.That(circuit.Breaker.IsTrialDue, Is.True);
        }

        Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.HalfOpen));
    }

    [TestCase(10)]
    [TestCase(60)]
    public void CircuitOpenWindow_is_how_long_no_call_is_admitted_less_jitter(int seconds)
    {
        var lengths = Enumerable.Range(0, 200).Select(seed =>
        {
            var circuit = new TestedCircuit(s => s.CircuitOpenWindow = TimeSpan.FromSeconds(seconds), seed).Trip();
            var length = circuit.Breaker.OpenUntil!.Value - circuit.Clock.GetUtcNow();
            Assert.That(circuit.Changes[0].OpenFor!.Value.TotalMilliseconds, Is.EqualTo(length.TotalMilliseconds).Within(1));
            circuit.Clock.Advance(length - TimeSpan.FromMilliseconds(1));
            Assert.That(circuit.IsRefused(), Is.True);
            circuit.Pass(0.001);
            Assert.That(circuit.IsRefused(), Is.False);
            return length / TimeSpan.FromSeconds(seconds);
        }).ToArray();
        Assert.That(lengths, Is.All.InRange(0.8, 1));
        Assert.That((lengths.Min() < 0.82, lengths.Max() > 0.98), Is.EqualTo((true, true)));
        Assert.That(lengths.Average(), Is.EqualTo(0.9).Within(0.02));
    }

    [Test]
    public void The_open_window_doubles_with_each_failed_trial_up_to_its_maximum()
    {
        var circuit = new TestedCircuit(s => s.MaxOpenWindow = TimeSpan.FromSeconds(100)).Trip();
        foreach (var seconds in new[] { 10, 20, 40, 80, 100, 100 })
        {
            Assert.That(circuit.Changes[^1].OpenFor!.Value.TotalSeconds, Is.InRange(0.8 * seconds, seconds));
            circuit.WaitForTrial().Call(failed: true);
            Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.Open));
        }

        circuit.WaitForTrial().Call(failed: false);
        circuit.Trip();
        Assert.That(circuit.Changes[^1].OpenFor!.Value.TotalSeconds, Is.InRange(8, 10), "closed in between, it begins anew");
    }

    [Test]
    public void Equal_seeds_give_equal_windows_and_others_differ()
    {
        Assert.That(Lengths(7), Is.EqualTo(Lengths(7)));
        Assert.That(Lengths(7), Is.Not.EqualTo(Lengths(8)));

        static TimeSpan?[] Lengths(int seed)
        {
            var circuit = new TestedCircuit(seed: seed).Trip();
            circuit.WaitForTrial().Call(failed: true);
            circuit.WaitForTrial().Call(failed: true);
            return [.. circuit.Changes.Select(c => c.OpenFor)];
        }
    }

    [TestCase(20, 19, true)]
    [TestCase(20, 21, false)]
    [TestCase(5, 4, true)]
    [TestCase(5, 6, false)]
    public void CounterSlidingWindow_is_how_long_calls_count(int window, int pause, bool opens)
    {
        var circuit = new TestedCircuit(s => s.CounterSlidingWindow = TimeSpan.FromSeconds(window));
        circuit.Call(failed: true, times: 9);
        circuit.Pass(pause);
        circuit.Call(failed: true);
        Assert.That(circuit.Breaker.State, Is.EqualTo(opens ? CircuitState.Open : CircuitState.Closed));
    }

    [Test]
    public void Old_calls_leave_the_window()
    {
        var circuit = new TestedCircuit();
        for (var i = 0; i < 1000; i++)
        {
            circuit.Call(failed: false);
            circuit.Pass(0.1);
        }

        var seconds = 0.0;
        for (; circuit.Breaker.State == CircuitState.Closed && seconds < 100; seconds += 0.1)
        {
            circuit.Call(failed: true);
            circuit.Pass(0.1);
        }

        Assert.That(seconds, Is.InRange(9, 12), "when half of 20 seconds have failed");
    }

    [TestCase(1000)]
    [TestCase(250)]
    public void CounterUpdateInterval_is_how_often_the_rate_is_checked(int milliseconds)
    {
        var circuit = new TestedCircuit(s => s.CounterUpdateInterval = TimeSpan.FromMilliseconds(milliseconds));
        circuit.Call(failed: true, times: 100);
        circuit.Clock.Advance(TimeSpan.FromMilliseconds(milliseconds - 1));
        circuit.Call(failed: true);
        Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.Closed));
        circuit.Pass(0.001);
        circuit.Call(failed: true);
        Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.Open));
    }

    [Test]
    public void Trials_come_early_while_callers_have_nothing_better()
    {
        var circuit = new TestedCircuit().Trip();
        circuit.Breaker.TriesEarly = true;
        circuit.Pass(2.999);
        Assert.That((circuit.IsRefused(), circuit.Breaker.IsTrialDue), Is.EqualTo((true, false)));
        circuit.Pass(0.001);
        circuit.Call(failed: true);
        Assert.That(circuit.Changes[^1].OpenFor!.Value.TotalSeconds, Is.InRange(8, 10), "nor does it grow");
        circuit.Pass(3);
        circuit.Call(failed: false);
        Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.Closed));
        circuit.Breaker.Open(TimeSpan.FromMinutes(1));
        circuit.Pass(59);
        Assert.That(circuit.IsRefused(), Is.True, "who opens it by hand means it");
    }

    [TestCase(true)]
    [TestCase(false)]
    public void The_last_open_circuit_keeps_its_early_trial_when_others_return(bool hasOpenedBefore)
    {
        var circuit = new TestedCircuit();
        _ = hasOpenedBefore ? circuit.Trip() : circuit;
        circuit.Breaker.TriesEarly = true;
        _ = hasOpenedBefore ? circuit : circuit.Trip();
        circuit.Breaker.TriesEarly = false;
        circuit.Pass(3);
        Assert.That(circuit.Breaker.IsTrialDue, Is.True);
        circuit.Call(failed: true);
        circuit.Pass(15);
        Assert.That(circuit.IsRefused(), Is.True, "once: one that is still out has the usual window, and it has grown");
    }

    [Test]
    public void A_trial_from_a_total_outage_is_followed_by_an_early_one()
    {
        var circuit = new TestedCircuit().Trip();
        circuit.Breaker.TriesEarly = true;
        circuit.Pass(3);
        var hanging = circuit.Begin();
        circuit.Breaker.TriesEarly = false; // others are back meanwhile
        circuit.Breaker.Report(hanging, failed: true);
        circuit.Pass(3);
        circuit.Call(failed: false);
        Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.Closed));
    }

    [Test]
    public void A_breaker_works_with_the_system_clock()
    {
        var breaker = new CircuitBreaker("weather", new() { CircuitOpenWindow = TimeSpan.FromHours(10) });
        breaker.Open(TimeSpan.FromMinutes(10));
        Assert.That((breaker.OpenUntil!.Value - DateTimeOffset.UtcNow).TotalMinutes, Is.EqualTo(10).Within(0.5));
        Assert.That(breaker.Refusal().RetryAfter!.Value.TotalMinutes, Is.EqualTo(10).Within(0.5));
    }
}
