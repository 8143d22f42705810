using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class OutlierEjectionOptionsTests
{
    private static IEnumerable<TestCaseData> Wrong =>
    [
        Case("ConsecutiveFailures", s => s.ConsecutiveFailures = 0, "0", "at least 1"),
        Case("MinimumRequests", s => s.MinimumRequests = 0, "0", "at least 1"),
        Case("Window", s => s.Window = TimeSpan.FromMilliseconds(50), "00:00:00.0500000", "00:00:00.1 to 01:00:00"),
        Case("EjectionTime", s => s.EjectionTime = TimeSpan.Zero, "00:00:00", "allowed are"),
        Case("EjectionTime", s => s.EjectionTime = TimeSpan.FromHours(2), "02:00:00", "allowed are"),
        Case("MaxEjected", s => s.MaxEjected = -1, "-1", "0 to 1"),
        Case("PanicThreshold", s => s.PanicThreshold = double.NaN, "NaN", "0 to 1"),
    ];

    [TestCaseSource(nameof(Wrong))]
    public void An_invalid_value_is_named_with_its_key_and_the_rule(OutlierEjectionOptions settings, string key, string value, string rule)
    {
        Assert.That(settings.Problems("K").Single(), Does.StartWith($"K:{key} is {value}").And.Contain(rule));
        Assert.That(() => new OutlierEjection(settings, TimeProvider.System), Throws.ArgumentException.With.Message.Contains(key));
    }

    [Test]
    public void The_defaults_are_valid()
    {
        var settings = new OutlierEjectionOptions();
        Assert.That(settings.Problems("K"), Is.Empty);
        Assert.That(
            (
                settings.ConsecutiveFailures,
                settings.FailureRateMargin,
                settings.MinimumRequests,
                settings.Window.TotalSeconds,
                settings.EjectionTime.TotalSeconds,

                settings.MaxEjectionTime.TotalSeconds, settings.MaxEjected, settings.PanicThreshold),
            Is.EqualTo((5, 0.2, 20, 20.0, 10.0, 300.0, 0.3, 0.5)));
    }

    private static TestCaseData Case(string key, Action<OutlierEjectionOptions> spoil, string value, string rule)
    {
        var settings = new OutlierEjectionOptions();
        spoil(settings);
        return new TestCaseData(
            settings, key, value, rule)
        { TestName = $"An_invalid_value_is_named_with_its_key_and_the_rule({key} {value})" };
    }
}
