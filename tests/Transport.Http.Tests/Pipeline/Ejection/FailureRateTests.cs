using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>An endpoint that fails now and then, and its peers.</summary>
public sealed class FailureRateTests
{
    [TestCase(0.3, 0.0, 0.0, "a")]
    [TestCase(0.5, 0.1, 0.1, "a")]
    [TestCase(0.15, 0.0, 0.0, "")]
    [TestCase(0.5, 0.5, 0.5, "")]
    [TestCase(0.6, 0.5, 0.5, "")]
    public void An_endpoint_that_fails_more_often_than_its_peers_is_ejected(double a, double b, double c, string expected)
    {
        using var group = new TestedGroup(3);
        group.Run(5, a, b, c);
        Assert.That(group.Out, Is.EqualTo(expected));
        Assert.That(group.Told, expected.Length == 0 ? Is.Empty : Has.Exactly(1).EqualTo("a out: FailureRate, 1, 10 s"));
    }

    [Test]
    public void Two_endpoints_are_compared_with_each_other()
    {
        using var group = new TestedGroup(2);
        group.Run(5, 0, 0.5);
        Assert.That(group.Out, Is.EqualTo("b"));
    }

    [TestCase(0.2, "")]
    [TestCase(0.05, "a")]
    public void FailureRateMargin_is_the_smallest_difference_that_ejects(double margin, string expected)
    {
        using var group = new TestedGroup(3, s => s.FailureRateMargin = margin);
        group.Run(10, 0.1, 0, 0);
        Assert.That(group.Out, Is.EqualTo(expected));
    }

    [TestCase(100_000, "")]
    [TestCase(100, "a")]
    public void MinimumRequests_is_the_number_that_a_comparison_needs(int requests, string expected)
    {
        using var group = new TestedGroup(3, s => s.MinimumRequests = requests);
        group.Run(5, 0.5, 0, 0);
        Assert.That(group.Out, Is.EqualTo(expected));
    }

    [Test]
    public void An_endpoint_whose_peers_have_no_requests_is_not_compared()
    {
        using var group = new TestedGroup(3);
        group.Run(5, 0.5);
        Assert.That(group.Out, Is.Empty);
    }

    [TestCase(20, "a")]
    [TestCase(5, "")]
    public void Window_is_how_long_requests_count(int seconds, string expected)
    {
        using var group = new TestedGroup(3, s => (s.Window, s.ConsecutiveFailures) = (TimeSpan.FromSeconds(seconds), 1000));
        for (var i = 0; i < 50; i++)
        {
            group.Fail(0, times: 1);
            group.Succeed(0);
            group.Succeed(1);
            group.Succeed(2);
        }

        group.Pass(10);
        for (var i = 0; i < 30; i++)
        {
            group.Succeed(0);
            group.Succeed(1);
        }

        group.Pass(1);
        group.Fail(0, times: 1);
        Assert.That(group.Out, Is.EqualTo(expected));
    }

    [Test]
    public void An_endpoint_that_returns_has_no_old_outcomes()
    {
        using var group = new TestedGroup(3);
        group.Run(3, 0.5, 0, 0);
        Assert.That(group.Out, Is.EqualTo("a"));
        group.Run(10, 0, 0, 0);
        group.Run(3, 0.01, 0, 0);
        Assert.That(group.Told, Is.EqualTo(["a out: FailureRate, 1, 10 s", "a back: TimePassed, 1, 10 s"]));
    }

    [Test]
    public void Equal_endpoints_are_rarely_ejected_by_chance([Range(1, 5)] int seed)
    {
        using var group = new TestedGroup(5, s => (s.ConsecutiveFailures, s.FailureRateMargin) = (1000, 0));
        var random = new Random(seed);
        for (var i = 0; i < 6_000; i++)
        {
            TestedGroup.Success.ApplyTo(group[random.Next(5)]);
            if (random.Next(4) == 0)
            {
                group.Fail(random.Next(5), times: 1);
            }

            group.Pass(0.01);
        }

        Assert.That(
            group.Told.Count(t => t.Contains("out", StringComparison.Ordinal)), Is.LessThanOrEqualTo(3), string.Join('\n', group.Told));
    }

    [TestCase(10, 10, 0, 100, true)]
    [TestCase(3, 10, 10, 100, false)]
    [TestCase(30, 100, 100, 1000, true)]
    [TestCase(10, 10, 10, 10, false)]
    [TestCase(5, 10, 0, 0, false)]
    [TestCase(0, 10, 5, 10, false)]
    public void The_comparison_considers_the_number_of_requests(int failures, int total, int peerFailures, int peerTotal, bool expected) =>
        Assert.That(
            FailureRates.IsWorse(new(total - failures, failures), new(peerTotal - peerFailures, peerFailures), 0.1), Is.EqualTo(expected));
}
