using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>The one table that classifies attempts, for the bus and for HttpClients, and the one place that applies outcomes.</summary>
public sealed class AttemptOutcomeTests
{
    [TestCase(200, false, "Answered, Success")]
    [TestCase(404, false, "Answered, Success")]
    [TestCase(429, false, "Broken, Busy")]
    [TestCase(500, false, "Broken, Failure")]
    [TestCase(502, false, "Broken, Failure")]
    [TestCase(503, false, "Broken, Failure")]
    [TestCase(504, false, "Broken, Failure")]
    [TestCase(429, true, "Broken, Busy")]
    [TestCase(408, false, "Broken, Success")]
    [TestCase(425, false, "Broken, Success")]
    [TestCase(408, true, "Answered, Success")]
    [TestCase(499, true, "Answered, Success")]
    [TestCase(500, true, "Answered, Busy")]
    [TestCase(503, true, "Broken, Busy")]
    public void A_failure_status_counts_against_any_server_but_a_node(int status, bool isFromNode, string expected) =>
        Assert.That(Text(AttemptOutcome.OfAnswer(status, isFromNode, isNotProcessed: false, null, default)), Is.EqualTo(expected));

    // A proxy may send the header and not be a node.
    [TestCase(404, true, "Declined, Success")]
    [TestCase(429, true, "Declined, Busy")]
    [TestCase(503, true, "Declined, Busy")]
    [TestCase(503, false, "Declined, Busy")]
    [TestCase(413, true, "Answered, Success")]
    public void A_refusal_without_processing_never_counts_against_the_server(int status, bool isFromNode, string expected) =>
        Assert.That(Text(AttemptOutcome.OfAnswer(status, isFromNode, isNotProcessed: true, null, default)), Is.EqualTo(expected));

    [TestCase(true, "Broken, Failure")]
    [TestCase(false, "NotSent, Failure")]
    public void An_attempt_without_an_answer_counts_against_the_endpoint(bool wasSent, string expected) =>
        Assert.That(Text(AttemptOutcome.OfFailure(wasSent)), Is.EqualTo(expected));

    [TestCase(true, false, false, "Broken, None")]
    [TestCase(false, false, false, "NotSent, None")]
    [TestCase(true, true, false, "Broken, Slow")]
    [TestCase(true, false, true, "Broken, Failure")]
    public void A_cancelled_attempt_counts_only_if_it_hung(bool wasSent, bool isSuperseded, bool hasHung, string expected) =>
        Assert.That(Text(AttemptOutcome.OfCancellation(wasSent, isSuperseded, hasHung, TimeSpan.FromSeconds(1))), Is.EqualTo(expected));

    [Test]
    public void It_remembers_how_long_the_server_asked_to_wait([Values] bool isNotProcessed) =>
        Assert.That(
            AttemptOutcome.OfAnswer(503, isFromNode: false, isNotProcessed, TimeSpan.FromSeconds(3), default).RetryAfter,
            Is.EqualTo(TimeSpan.FromSeconds(3)));

    [TestCase(200, true, "latency 0.2 s, closed, in")]
    [TestCase(500, true, "latency 5 s, last failed, closed, in")]
    [TestCase(429, false, "latency 5 s, last failed, closed, in")]
    [TestCase(500, false, "latency 5 s, last failed, Open, ejected")]
    public void One_call_applies_an_answer_to_latency_breaker_and_ejection(int status, bool isFromNode, string expected)
    {
        var outcome = AttemptOutcome.OfAnswer(status, isFromNode, isNotProcessed: false, null, TimeSpan.FromMilliseconds(200));

        Assert.That(Applied(outcome), Is.EqualTo(expected));
    }

    [Test]
    public void One_call_applies_a_failure_to_latency_breaker_and_ejection([Values] bool wasSent) =>
        Assert.That(Applied(AttemptOutcome.OfFailure(wasSent)), Is.EqualTo("latency 5 s, last failed, Open, ejected"));

    [Test]
    public void A_superseded_attempt_raises_the_latency_and_changes_nothing_else() =>
        Assert.That(
            Applied(AttemptOutcome.OfCancellation(wasSent: true, isSuperseded: true, hasHung: false, TimeSpan.FromSeconds(2))),
            Is.EqualTo("latency 2 s, closed, in"));

    [Test]
    public void An_outcome_that_says_nothing_changes_nothing()
    {
        AttemptOutcome[] silent =
        [
            AttemptOutcome.Refused, AttemptOutcome.NotMade, AttemptOutcome.Withdrawn, AttemptOutcome.Unknown,
            AttemptOutcome.OfCancellation(wasSent: true, isSuperseded: false, hasHung: false, TimeSpan.FromSeconds(2)),
        ];

        Assert.That(silent.Select(Applied), Is.All.EqualTo("latency 0.03 s, closed, in"));
    }

    // One failure opens the circuit, and one ejects. The second report is read by the breaker one interval after the first.
    private static string Applied(AttemptOutcome outcome)
    {
        var clock = new FakeTimeProvider();
        clock.Advance(TimeSpan.FromSeconds(1));
        var breaker = new CircuitBreakerOptions { FailureRateThreshold = 0, MinimumRequestThreshold = 1 };
        Endpoint[] endpoints = [.. Enumerable.Range(1, 3).Select(port => new Endpoint(new("10.0.0.1", port), clock))];
        EndpointProtection.Add(endpoints[0], breaker);
        using var group = new OutlierEjection(new() { ConsecutiveFailures = 1, MaxEjected = 1 }, clock);
        group.Update([.. endpoints]);
        clock.Advance(breaker.CounterUpdateInterval);
        Assert.That(endpoints[0].Breaker.TryEnter(out var pass));

        outcome.ApplyTo(endpoints[0], pass);

        var state = endpoints[0].Breaker.State == CircuitState.Closed ? "closed" : $"{endpoints[0].Breaker.State}";
        endpoints[0].Begin(); // the latency does not fade while an attempt is in flight
        var failed = endpoints[0].LastFailed ? "last failed, " : "";
        var ejected = endpoints[0].IsEjected ? "ejected" : "in";
        return FormattableString.Invariant($"latency {endpoints[0].Latency.TotalSeconds:0.##} s, {failed}{state}, {ejected}");
    }

    private static string Text(AttemptOutcome outcome) => $"{outcome.Kind}, {outcome.Evidence}";
}
