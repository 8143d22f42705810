using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class ByHandTests
{
    [Test]
    public void A_circuit_opened_by_hand_stays_open_until_it_is_closed_by_hand()
    {
        var circuit = new TestedCircuit();
        circuit.Breaker.Open();
        circuit.Pass(100_000);
        Assert.That(
            (circuit.IsRefused(), circuit.Breaker.OpenUntil, circuit.Breaker.IsTrialDue),
            Is.EqualTo((true, (DateTimeOffset?)DateTimeOffset.MaxValue, false)));
        var refusal = circuit.Breaker.Refusal();
        Assert.That(refusal.RetryAfter, Is.Null);
        Assert.That(refusal.Message, Does.Contain("by hand"));
        circuit.Breaker.Close();
        circuit.Call(failed: false);
        Assert.That(circuit.History, Is.EqualTo("Closed-Open:ByHand Open-Closed:ByHand"));
    }

    [Test]
    public void A_circuit_opened_for_a_time_admits_a_trial_and_starts_a_small_window()
    {
        var circuit = new TestedCircuit();
        circuit.Breaker.Open(TimeSpan.FromMinutes(10));
        circuit.Pass(599.9);
        Assert.That(circuit.IsRefused(), Is.True);
        circuit.Pass(0.1);
        circuit.Call(failed: true);
        Assert.That((circuit.Breaker.State, circuit.Changes[^1].OpenFor!.Value.TotalSeconds), Is.EqualTo((CircuitState.Open, 9.0)).Using<(
            CircuitState State, double Seconds)>((a, b) => a.State == b.State && Math.Abs(a.Seconds - b.Seconds) <= 1));
    }

    [Test]
    public void A_breaker_that_is_switched_off_opens_by_hand_only()
    {
        var clock = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var breaker = new CircuitBreaker("off", new() { Enabled = false, MinimumRequestThreshold = 1 }, clock);
        for (var i = 0; i < 100; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            Assert.That(breaker.TryEnter(out var pass), Is.True);
            breaker.Report(pass, failed: true);
        }

        Assert.That(breaker.State, Is.EqualTo(CircuitState.Closed));
        breaker.Open();
        Assert.That(breaker.TryEnter(out _), Is.False);
    }

    [Test]
    public void Opening_by_hand_overrides_a_window_and_a_trial()
    {
        var circuit = new TestedCircuit().Trip().WaitForTrial();
        var trial = circuit.Begin();
        circuit.Breaker.Open();
        circuit.Breaker.Report(trial, failed: false);
        Assert.That(circuit.Breaker.State, Is.EqualTo(CircuitState.Open));
    }

    [Test]
    public void Closing_a_closed_circuit_changes_nothing()
    {
        var circuit = new TestedCircuit();
        circuit.Call(failed: true, times: 10);
        circuit.Breaker.Close();
        circuit.Pass(1);
        circuit.Call(failed: true);
        Assert.That(circuit.History, Is.EqualTo("Closed-Open:FailureRate"), "and forgets nothing that was counted");
    }

    [TestCase(0)]
    [TestCase(-1)]
    public void A_duration_that_is_not_positive_is_refused(int seconds) =>
        Assert.That(
            () => new TestedCircuit().Breaker.Open(TimeSpan.FromSeconds(seconds)), Throws.InstanceOf<ArgumentOutOfRangeException>());

    [Test]
    public void A_refusal_names_circuit_begin_cause_and_end()
    {
        var circuit = new TestedCircuit().Trip();
        var since = circuit.Clock.GetUtcNow();
        circuit.Pass(4);
        var refusal = circuit.Breaker.Refusal();
        var left = circuit.Breaker.OpenUntil!.Value - circuit.Clock.GetUtcNow();
        Assert.That((refusal.Circuit, refusal.Since), Is.EqualTo(("weather", (DateTimeOffset?)since)));
        Assert.That(refusal.RetryAfter!.Value.TotalSeconds, Is.EqualTo(left.TotalSeconds).Within(0.001).And.InRange(4, 6));
        Assert.That(refusal.Message, Does.Contain("'weather'").And.Contain("since 00:16:41 UTC")
            .And.Contain("11 of 11 calls failed within 20 s").And.Match(@"trial in [45]\.?\d* s"));
        circuit.WaitForTrial().Call(failed: true);
        refusal = circuit.Breaker.Refusal();
        Assert.That(refusal.Since, Is.EqualTo(since), "a trial that failed begins no new outage");
        Assert.That(refusal.Message, Does.Contain("1 trials have failed since"));
        circuit.WaitForTrial();
        Assert.That(circuit.Breaker.Refusal().RetryAfter, Is.EqualTo(TimeSpan.Zero));
        circuit.Breaker.Close();
        Assert.That(circuit.Breaker.Refusal().Message, Does.Contain("has closed at this moment"));
    }
}
