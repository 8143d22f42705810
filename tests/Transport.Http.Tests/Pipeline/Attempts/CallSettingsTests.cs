using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The rules of one request: its own before those of its service.</summary>
public sealed class CallSettingsTests
{
    private static readonly CallSettings s_hedged = new() { HedgeAfter = TimeSpan.FromMilliseconds(10) };

    private static IEnumerable<TimeSpan> Never => [Timeout.InfiniteTimeSpan, TimeSpan.MaxValue, TimeSpan.FromDays(1)];

    [TestCaseSource(nameof(Never))]
    public void A_request_may_switch_a_configured_hedge_off(TimeSpan never) =>
        Assert.That(s_hedged.With(new() { HedgeAfter = never }).HedgeAfter, Is.Null);

    [Test]
    public void A_request_without_hedge_options_uses_those_of_its_service() =>
        Assert.That(s_hedged.With(new() { Attempts = 2 }), Is.EqualTo(s_hedged with { Attempts = 2 }));

    [Test]
    public void A_hedge_without_a_pause_is_refused([Values(0, -2)] int milliseconds) =>
        Assert.That(
            () => new RetryOptions { HedgeAfter = TimeSpan.FromMilliseconds(milliseconds) }, Throws.TypeOf<ArgumentOutOfRangeException>());
}
