using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class EndpointTests
{
    [Test]
    public void A_reported_load_that_is_not_a_number_counts_as_none() =>
        Assert.That(new Endpoint(new("a", 1), TimeProvider.System) { ReportedLoad = double.NaN }.ReportedLoad, Is.Zero);

    [Test]
    public void A_new_endpoint_has_an_assumed_latency_of_30_ms() =>
        Assert.That(new Endpoints(1)[0].Latency.TotalMilliseconds, Is.EqualTo(30).Within(0.01));

    [Test]
    public void A_slower_answer_replaces_the_average_and_a_faster_one_decays_in()
    {
        var endpoints = new Endpoints(1);
        var endpoint = endpoints[0];
        endpoint.RecordSuccess(TimeSpan.FromMilliseconds(200));
        Assert.That(endpoint.Latency.TotalMilliseconds, Is.EqualTo(200).Within(0.1));
        endpoints.Clock.Advance(TimeSpan.FromSeconds(10));
        endpoint.RecordSuccess(TimeSpan.FromMilliseconds(100));
        Assert.That(endpoint.Latency.TotalMilliseconds, Is.EqualTo((200 / Math.E) + (100 * (1 - (1 / Math.E)))).Within(0.1));
    }

    [Test]
    public void The_latency_fades_while_no_attempt_is_in_flight()
    {
        var endpoints = new Endpoints(1);
        endpoints[0].RecordSuccess(TimeSpan.FromMilliseconds(200));
        endpoints[0].Begin();
        endpoints.Clock.Advance(TimeSpan.FromSeconds(20));
        Assert.That(endpoints[0].Latency.TotalMilliseconds, Is.EqualTo(200).Within(0.1));
        endpoints[0].End();
        Assert.That(endpoints[0].Latency.TotalMilliseconds, Is.EqualTo(200 * Math.Exp(-2)).Within(0.1));
    }

    [TestCase(null, 5)]
    [TestCase(1, 5)]
    [TestCase(60, 60)]
    [TestCase(3600, 300)]
    public void A_failure_counts_as_5_seconds_or_as_the_Retry_After(int? retryAfter, int expected)
    {
        var endpoint = new Endpoints(1)[0];
        endpoint.RecordFailure(retryAfter is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
        Assert.That(endpoint.Latency.TotalSeconds, Is.EqualTo(expected).Within(0.01));
        Assert.That(endpoint.LastFailed, Is.True);
    }

    [Test]
    public void An_endpoint_that_becomes_healthy_starts_slowly()
    {
        var endpoints = new Endpoints(10);
        var endpoint = endpoints[0];
        Assert.That(endpoint.EffectiveWeight, Is.EqualTo(10));
        endpoint.State = EndpointState.Unreachable;
        endpoint.State = EndpointState.Healthy;
        Assert.That(endpoint.EffectiveWeight, Is.EqualTo(1).Within(0.001));
        endpoints.Clock.Advance(TimeSpan.FromSeconds(10));
        endpoint.State = EndpointState.Healthy;
        Assert.That(endpoint.EffectiveWeight, Is.EqualTo(5).Within(0.001), "being told again changes nothing");
        endpoints.Clock.Advance(TimeSpan.FromSeconds(15));
        Assert.That(endpoint.EffectiveWeight, Is.EqualTo(10).Within(0.001));
    }

    [Test]
    public void Records_of_many_threads_are_all_counted()
    {
        var endpoint = new Endpoints(1)[0];
        Parallel.For(0, 10_000, _ =>
        {
            endpoint.Begin();
            endpoint.RecordBytes(3);
            endpoint.End();
        });
        Assert.That((endpoint.InFlight, endpoint.RecentBytes), Is.EqualTo((0, 30_000.0)));
    }

    [TestCase("10.0.0.1", "10.0.0.1:5080")]
    [TestCase("::1", "[::1]:5080")]
    public void An_endpoint_is_printed_as_host_and_port(string host, string expected) =>
        Assert.That(new Endpoint(new(host, 5080), TimeProvider.System).ToString(), Is.EqualTo(expected));
}
