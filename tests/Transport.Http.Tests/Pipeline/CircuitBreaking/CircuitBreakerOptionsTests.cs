using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class CircuitBreakerOptionsTests
{
    private static IEnumerable<TestCaseData> Wrong =>
    [
        Case("FailureRateThreshold", s => s.FailureRateThreshold = 1.01, "1.01", "0 to 1"),
        Case("FailureRateThreshold", s => s.FailureRateThreshold = -0.1, "-0.1", "0 to 1"),
        Case("FailureRateThreshold", s => s.FailureRateThreshold = double.NaN, "NaN", "0 to 1"),
        Case("MinimumRequestThreshold", s => s.MinimumRequestThreshold = 0, "0", "at least 1"),
        Case("TrialRequestInterval", s => s.TrialRequestInterval = TimeSpan.Zero, "00:00:00", "allowed are"),
        Case("TrialRequestInterval", s => s.TrialRequestInterval = TimeSpan.FromHours(2), "02:00:00", "allowed are"),
        Case("CircuitOpenWindow", s => s.CircuitOpenWindow = TimeSpan.Zero, "00:00:00", "allowed are"),
        Case("CircuitOpenWindow", s => s.CircuitOpenWindow = TimeSpan.FromDays(2), "2.00:00:00", "allowed are"),
        Case("CounterSlidingWindow", s => s.CounterSlidingWindow = TimeSpan.Zero, "00:00:00", "allowed are"),
        Case("CounterUpdateInterval", s => s.CounterUpdateInterval = TimeSpan.Zero, "00:00:00", "allowed are"),
        Case(
            "CounterUpdateInterval",
            s => s.CounterUpdateInterval = TimeSpan.FromSeconds(21),
            "00:00:21",
            "K:CounterSlidingWindow is 00:00:20; the first must not be more"),
        Case(
            "CounterUpdateInterval",
            s => s.CounterUpdateInterval = TimeSpan.FromMilliseconds(10),
            "00:00:00.0100000",
            "1000 intervals at most"),
    ];

    [TestCaseSource(nameof(Wrong))]
    public void An_invalid_value_is_named_with_its_key_and_the_rule(CircuitBreakerOptions settings, string key, string value, string rule)
    {
        var problem = settings.Problems("K").Single();
        Assert.That(problem, Does.StartWith($"K:{key} is {value}").And.Contain(rule));
        Assert.That(
            () => new CircuitBreaker("weather", settings),
            Throws.ArgumentException.With.Message.Contains(rule.Replace("K:", "CircuitBreaker:", StringComparison.Ordinal)));
    }

    [Test]
    public void The_defaults_are_valid()
    {
        var settings = new CircuitBreakerOptions();
        Assert.That(settings.Problems("K"), Is.Empty);
        Assert.That(
            (
                settings.FailureRateThreshold,
                settings.MinimumRequestThreshold,
                settings.TrialRequestInterval.TotalSeconds,
                settings.CircuitOpenWindow.TotalSeconds,

                settings.MaxOpenWindow.TotalSeconds, settings.CounterSlidingWindow.TotalSeconds,
                settings.CounterUpdateInterval.TotalSeconds),
            Is.EqualTo((0.5, 10, 3.0, 10.0, 300.0, 20.0, 1.0)));
    }

    [Test]
    public void A_breaker_reads_its_settings_once()
    {
        var settings = new CircuitBreakerOptions();
        var breaker = new CircuitBreaker("weather", settings);
        settings.CircuitOpenWindow = TimeSpan.Zero;
        breaker.Open();
        breaker.Close();
        Assert.That(breaker.State, Is.EqualTo(CircuitState.Closed));
    }

    private static TestCaseData Case(string key, Action<CircuitBreakerOptions> spoil, string value, string rule)
    {
        var settings = new CircuitBreakerOptions();
        spoil(settings);
        return new TestCaseData(
            settings, key, value, rule)
        { TestName = $"An_invalid_value_is_named_with_its_key_and_the_rule({key} {value})" };
    }
}
