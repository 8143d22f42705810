using System.Diagnostics;
using System.Net;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>A request as it is sent to one endpoint.</summary>
public sealed class AttemptMessageTests
{
    private static readonly Endpoint s_endpoint = new(new("10.0.0.1", 5080), TimeProvider.System);
    private static readonly Endpoint s_named = new(new("10.0.0.1", 5443) { Name = "weather.internal" }, TimeProvider.System);

    [Test]
    public void An_attempt_changes_only_the_authority_of_the_URI()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/a%20b/c?d=%2F&e=ü#f");

        using var attempt = AttemptMessage.Make(request, null, TargetOf(s_endpoint));
        using var secured = AttemptMessage.Make(request, null, TargetOf(s_named, isTls: true));

        Assert.That(
            (attempt.RequestUri!.AbsoluteUri, attempt.Headers.Host),
            Is.EqualTo(("http://10.0.0.1:5080/a%20b/c?d=%2F&e=%C3%BC", "10.0.0.1:5080")));
        Assert.That(
            (secured.RequestUri!.AbsoluteUri, secured.Headers.Host),
            Is.EqualTo(("https://10.0.0.1:5443/a%20b/c?d=%2F&e=%C3%BC", "weather.internal:5443")));
        Assert.That(request.RequestUri!.Host, Is.EqualTo("weather"));
    }

    [Test]
    public void An_attempt_keeps_method_headers_and_options_of_the_caller()
    {
        using var request = new HttpRequestMessage(new("PURGE"), "http://weather/");
        request.Headers.Add("x-own", ["a", "b"]);
        request.Headers.TryAddWithoutValidation("user-agent", "not (a valid one");
        request.Headers.Host = "chosen";
        request.Options.Set(new("own"), "value");

        using var attempt = AttemptMessage.Make(request, null, TargetOf(s_named));

        Assert.That((attempt.Method.Method, attempt.Headers.Host), Is.EqualTo(("PURGE", "chosen")));
        Assert.That(attempt.Headers.GetValues("x-own"), Is.EqualTo(["a", "b"]));
        Assert.That(attempt.Headers.NonValidated["user-agent"].ToString(), Is.EqualTo("not (a valid one"));
        Assert.That(attempt.Options.TryGetValue(new HttpRequestOptionsKey<string>("own"), out var own) ? own : null, Is.EqualTo("value"));
    }

    [TestCase(false, false, "1.1", HttpVersionPolicy.RequestVersionExact)]
    [TestCase(false, true, "2.0", HttpVersionPolicy.RequestVersionExact)]
    [TestCase(true, false, "2.0", HttpVersionPolicy.RequestVersionOrLower)]
    public void The_service_decides_the_version_unless_the_caller_does(bool isTls, bool isHttp2, string version, HttpVersionPolicy policy)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");

        using var attempt = AttemptMessage.Make(request, null, TargetOf(s_endpoint, isTls, isHttp2));

        Assert.That((attempt.Version.ToString(), attempt.VersionPolicy), Is.EqualTo((version, policy)));
    }

    [Test]
    public void A_version_that_the_caller_chose_is_kept()
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Get, "http://weather/")
        { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        using var attempt = AttemptMessage.Make(request, null, TargetOf(s_endpoint, isTls: true, isHttp2: true));

        Assert.That((attempt.Version, attempt.VersionPolicy), Is.EqualTo((HttpVersion.Version11, HttpVersionPolicy.RequestVersionExact)));
    }

    [Test]
    public void An_attempt_carries_the_current_trace_unless_the_caller_set_one()
    {
        using var activity = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://weather/");
        using var own = new HttpRequestMessage(
            HttpMethod.Get,
            "http://weather/")
        { Headers = { { "traceparent", "00-11111111111111111111111111111111-2222222222222222-01" } } };

        using var attempt = AttemptMessage.Make(request, null, TargetOf(s_endpoint));
        using var ownAttempt = AttemptMessage.Make(own, null, TargetOf(s_endpoint));

        Assert.That(attempt.Headers.GetValues("traceparent"), Is.EqualTo([activity.Id]));
        Assert.That(ownAttempt.Headers.GetValues("traceparent"), Is.EqualTo(["00-11111111111111111111111111111111-2222222222222222-01"]));
    }

    private static HttpTarget TargetOf(Endpoint endpoint, bool isTls = false, bool isHttp2 = false) =>
        new(endpoint, isTls, isHttp2, IsForeign: true, endpoint.ToString());
}
