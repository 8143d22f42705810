using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

public sealed class PowerOfTwoChoicesTests
{
    [Test]
    public void A_slow_endpoint_among_three_receives_less_than_a_tenth()
    {
        var endpoints = new Endpoints(1, 1, 1);
        var shares = new Traffic(endpoints, endpoints.Balancer("PowerOfTwoChoices"), callers: 32)
            .Run(20_000, endpoint => TimeSpan.FromMilliseconds(endpoint == endpoints[0] ? 100 : 5));
        Assert.That(shares[0], Is.LessThan(0.1));
        Assert.That(shares[1], Is.EqualTo(shares[2]).Within(0.1));
    }

    [Test]
    public void An_endpoint_that_becomes_fast_regains_its_share()
    {
        var endpoints = new Endpoints(1, 1, 1);
        var traffic = new Traffic(endpoints, endpoints.Balancer("PowerOfTwoChoices"), callers: 8);
        traffic.Run(5000, endpoint => TimeSpan.FromMilliseconds(endpoint == endpoints[0] ? 500 : 5));
        traffic.Run(100_000, _ => TimeSpan.FromMilliseconds(5));
        Assert.That(traffic.Run(5000, _ => TimeSpan.FromMilliseconds(5)), Is.All.GreaterThan(0.25));
    }

    [Test]
    public void Failing_fast_does_not_attract_traffic()
    {
        var endpoints = new Endpoints(1, 1, 1);
        var shares = new Traffic(endpoints, endpoints.Balancer("PowerOfTwoChoices"), callers: 8)
            .Run(10_000, _ => TimeSpan.FromMilliseconds(5), failing: endpoints[1]);
        Assert.That(shares[1], Is.LessThan(0.02));
    }

    [Test]
    public void The_load_that_a_server_reports_counts_and_fades()
    {
        var endpoints = new Endpoints(1, 1);
        var balancer = endpoints.Balancer("PowerOfTwoChoices");
        endpoints[0].ReportedLoad = 1;
        Assert.That(Endpoints.Letters(balancer, 20), Is.EqualTo(new string('b', 20)));
        endpoints.Clock.Advance(TimeSpan.FromSeconds(30));
        Assert.That(endpoints[0].ReportedLoad, Is.EqualTo(Math.Exp(-3)).Within(0.001));
    }

    [Test]
    public void Attempts_in_flight_count_relative_to_the_weight()
    {
        var endpoints = new Endpoints(1, 4);
        var balancer = endpoints.Balancer("PowerOfTwoChoices");
        endpoints[0].Begin();
        for (var i = 0; i < 6; i++)
        {
            endpoints[1].Begin();
        }

        Assert.That(Endpoints.Letters(balancer, 5), Is.EqualTo("bbbbb"), "2/1 against 7/4");
        endpoints[1].Begin();
        endpoints[1].Begin();
        Assert.That(Endpoints.Letters(balancer, 5), Is.EqualTo("aaaaa"), "2/1 against 9/4");
    }

    [Test]
    public void One_trial_of_an_avoided_endpoint_is_not_followed_by_many()
    {
        var endpoints = new Endpoints(1, 1);
        var balancer = endpoints.Balancer("PowerOfTwoChoices");
        endpoints[0].RecordFailure();
        endpoints.Clock.Advance(TimeSpan.FromMinutes(2));
        endpoints[1].RecordSuccess(TimeSpan.FromMilliseconds(5));
        Assert.That(Endpoints.NameOf(balancer.Pick(default)), Is.EqualTo("a"), "its mark has faded");
        endpoints[0].Begin();
        Assert.That(Endpoints.Letters(balancer, 20), Is.EqualTo(new string('b', 20)), "until it has answered");
    }

    /// <summary>Callers that send one request after the other, in simulated time.</summary>
    private sealed class Traffic(Endpoints endpoints, IBalancer balancer, int callers)
    {
        private readonly PriorityQueue<(Endpoint Endpoint, TimeSpan Took, bool Failed), TimeSpan> _running = new();
        private TimeSpan _now;

        /// <summary>The share that each endpoint got.</summary>
        public double[] Run(int requests, Func<Endpoint, TimeSpan> latency, Endpoint? failing = null)
        {
            var counts = new double[endpoints.All.Length];
            for (var i = 0; i < requests; i++)
            {
                if (_running.Count == callers)
                {
                    Finish();
                }

                var picked = balancer.Pick(default)!;
                picked.Begin();
                counts[endpoints.All.IndexOf(picked)]++;
                var took = picked == failing ? TimeSpan.FromMilliseconds(0.1) : latency(picked);
                _running.Enqueue((picked, took, picked == failing), _now + took);
            }

            return [.. counts.Select(c => c / requests)];
        }

        private void Finish()
        {
            _running.TryDequeue(out var done, out var at);
            endpoints.Clock.Advance(at - _now);
            _now = at;
            if (done.Failed)
            {
                done.Endpoint.RecordFailure();
            }
            else
            {
                done.Endpoint.RecordSuccess(done.Took);
            }

            done.Endpoint.End();
        }
    }
}
