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
        Assert.That(Endpoints.Letters(balancer, 20).Count(c => c == 'a'), Is.GreaterThan(15), "its mark has faded");
        endpoints[0].Begin();
        Assert.That(Endpoints.Letters(balancer, 20), Is.EqualTo(new string('b', 20)), "until it has answered");
    }

    [Test]
    public void Equal_servers_at_low_load_get_equal_shares([Range(1, 10)] int seed)
    {
        var endpoints = new Endpoints(1, 1, 1, 1);
        var arrivals = new Arrivals(endpoints, endpoints.Balancer("PowerOfTwoChoices", seed), perSecond: 100, new Random(seed));

        for (var i = 0; i < 15; i++)
        {
            var shares = arrivals.Run(TimeSpan.FromSeconds(4), random => _ => 2 + (2 * random.NextDouble()));

            Assert.That(shares, Is.All.InRange(0.17, 0.33), $"in the 4 s from {4 * i} s on");
        }
    }

    [Test]
    public void A_server_that_was_slow_once_is_used_again_within_seconds([Range(1, 20)] int seed)
    {
        var endpoints = new Endpoints(1, 1, 1, 1);
        var arrivals = new Arrivals(endpoints, endpoints.Balancer("PowerOfTwoChoices", seed), perSecond: 100, new Random(seed));
        arrivals.Run(TimeSpan.FromSeconds(5), random => _ => 2 + (2 * random.NextDouble()));
        endpoints[0].Begin();
        endpoints[0].RecordSuccess(TimeSpan.FromSeconds(2));
        endpoints[0].End();

        var seconds = 0;
        while (arrivals.Run(TimeSpan.FromSeconds(1), random => _ => 2 + (2 * random.NextDouble()))[0] < 0.15)
        {
            seconds++;
        }

        Assert.That(seconds, Is.InRange(1, 10));
        TestContext.Out.WriteLine($"{seconds} s");
    }

    [Test]
    public void A_server_that_stays_slow_gets_only_probes([Range(1, 5)] int seed)
    {
        var endpoints = new Endpoints(1, 1, 1, 1);
        var arrivals = new Arrivals(endpoints, endpoints.Balancer("PowerOfTwoChoices", seed), perSecond: 100, new Random(seed));

        var shares = arrivals.Run(TimeSpan.FromSeconds(120), random => e => (e == endpoints[0] ? 200 : 2) * (1 + random.NextDouble()));

        Assert.That(shares[0], Is.InRange(0.003, 0.02));
    }

    [Test]
    public void A_new_server_among_busy_ones_is_used_within_seconds([Range(1, 5)] int seed)
    {
        var endpoints = new Endpoints(1, 1, 1, 1);
        for (var i = 0; i < 3; i++)
        {
            endpoints[i].RecordSuccess(TimeSpan.FromMilliseconds(1)); // the fourth has the assumed latency of 30 ms
        }

        var arrivals = new Arrivals(endpoints, endpoints.Balancer("PowerOfTwoChoices", seed), perSecond: 100, new Random(seed));
        arrivals.Run(TimeSpan.FromSeconds(5), _ => _ => 1);

        Assert.That(arrivals.Run(TimeSpan.FromSeconds(4), _ => _ => 1)[3], Is.GreaterThan(0.17));
    }

    [Test]
    public void A_new_server_whose_callers_give_up_is_tried_first_only_once()
    {
        var endpoints = new Endpoints(1, 1);
        var balancer = endpoints.Balancer("PowerOfTwoChoices");
        endpoints[0].RecordSuccess(TimeSpan.FromMilliseconds(5));
        Assert.That(Endpoints.Letters(balancer, 20).Count(c => c == 'b'), Is.GreaterThan(15), "nothing was sent to it yet");

        endpoints[1].Begin();
        endpoints[1].End(); // its caller gave up, which records nothing
        Assert.That(endpoints.Count(balancer, 100)[1], Is.LessThan(20));

        endpoints[1].StartSlowly();
        Assert.That(Endpoints.Letters(balancer, 20).Count(c => c == 'b'), Is.GreaterThan(15), "it has returned, so it is new again");
        Assert.That(endpoints[1].TryBegin(), Is.True);
        endpoints[1].End();
        Assert.That(endpoints.Count(balancer, 100)[1], Is.LessThan(20));
    }

    /// <summary>Requests that arrive at a rate, one at a time for the most part, in simulated time.</summary>
    private sealed class Arrivals(Endpoints endpoints, IBalancer balancer, int perSecond, Random random)
    {
        private readonly PriorityQueue<(Endpoint Endpoint, TimeSpan Took), TimeSpan> _running = new();
        private TimeSpan _now;

        /// <summary>The share that each endpoint got.</summary>
        public double[] Run(TimeSpan time, Func<Random, Func<Endpoint, double>> milliseconds)
        {
            var counts = new double[endpoints.All.Length];
            var (end, latency) = (_now + time, milliseconds(random));
            while (_now < end)
            {
                var picked = balancer.Pick(default)!;
                picked.Begin();
                counts[endpoints.All.IndexOf(picked)]++;
                var took = TimeSpan.FromMilliseconds(latency(picked));
                _running.Enqueue((picked, took), _now + took);
                Pass(_now + TimeSpan.FromSeconds(-Math.Log(1 - random.NextDouble()) / perSecond)); // a Poisson process
            }

            return [.. counts.Select(c => c / counts.Sum())];
        }

        private void Pass(TimeSpan until)
        {
            while (_running.TryPeek(out var done, out var at) && at <= until)
            {
                _running.Dequeue();
                Advance(at);
                done.Endpoint.RecordSuccess(done.Took);
                done.Endpoint.End();
            }

            Advance(until);
        }

        private void Advance(TimeSpan to)
        {
            endpoints.Clock.Advance(to - _now);
            _now = to;
        }
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
