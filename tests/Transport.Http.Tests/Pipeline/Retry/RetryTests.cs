using NUnit.Framework;
using ServiceMesh.Conformance;
using static ServiceMesh.Http.Tests.Layers;

namespace ServiceMesh.Http.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RetryTests
{
    private readonly Layers _layers = new();

    [Test]
    public async Task Any_request_that_was_not_sent_goes_to_another_endpoint()
    {
        var call = new ScriptedCall(
            _layers.Endpoints, AtOnce, (name, _) => Task.FromResult(name == "c" ? Ok : Refused))
        { Repeatable = false };

        var answer = await _layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "abc")));
    }

    [Test]
    public async Task A_plain_request_that_may_have_run_is_not_sent_again()
    {
        var call = new ScriptedCall(_layers.Endpoints, AtOnce, (_, _) => Task.FromResult(Broken)) { Repeatable = false };

        var answer = await _layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent)), Is.EqualTo(("503", "a")));
    }

    [Test]
    public async Task A_repeatable_request_is_sent_again_to_endpoints_that_were_not_tried()
    {
        var call = _layers.Call(name => name == "b" ? Ok : Broken);

        var answer = await _layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "ab")));
    }

    [Test]
    public async Task The_answer_of_the_last_attempt_counts()
    {
        var call = _layers.Call(_ => Broken, AtOnce with { Attempts = 2 });

        var answer = await _layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent)), Is.EqualTo(("503", "ab")));
    }

    [Test]
    public async Task The_only_endpoint_is_tried_again()
    {
        var layers = new Layers(endpoints: 1);
        var answers = new Queue<AttemptResult<string>>([Refused, Broken, Ok]);
        var call = layers.Call(_ => answers.Dequeue());

        var answer = await layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "aaa")));
    }

    [Test]
    public async Task A_declined_request_is_offered_to_each_endpoint_once_without_a_token()
    {
        var layers = new Layers(endpoints: 5, new() { Ratio = 0, PerSecond = 0 });
        var call = layers.Call(_ => Full);

        var answer = await layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent.Order())), Is.EqualTo(("429", "abcde")));
    }

    [Test]
    public async Task A_request_without_a_token_is_not_sent_again()
    {
        var layers = new Layers(budget: new() { Ratio = 0, PerSecond = 0 });
        var call = layers.Call(_ => Refused);

        await layers.SendAsync(call);

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task Retries_stay_within_the_budget_in_an_outage()
    {
        var layers = new Layers(budget: new() { Ratio = 0.2, PerSecond = 1, Window = TimeSpan.FromSeconds(10) });
        var sent = 0;
        for (var i = 0; i < 1000; i++)
        {
            var call = layers.Call(_ => Broken);
            await layers.SendAsync(call);
            sent += call.Sent.Count;
        }

        Assert.That(sent, Is.EqualTo(1000 + 200 + 10));
    }

    [Test]
    public async Task A_consumed_body_is_not_sent_again()
    {
        ScriptedCall call = null!;
        call = new(_layers.Endpoints, AtOnce, (_, _) =>
        {
            call.Consumed = true;
            return Task.FromResult(Refused);
        });

        await _layers.SendAsync(call);

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task A_server_is_asked_once_if_its_Retry_After_exceeds_the_time_left()
    {
        var layers = new Layers(endpoints: 1);
        var call = new ScriptedCall(
            layers.Endpoints, AtOnce, (_, _) => Task.FromResult(
                Broken with { Outcome = ScriptedOutcomes.BrokenUntil(TimeSpan.FromSeconds(31)) }));

        var answer = await layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent)), Is.EqualTo(("503", "a")));
    }

    [Test]
    public async Task A_retry_waits_for_the_Retry_After_of_the_only_server()
    {
        var layers = new Layers(endpoints: 1);
        var answers = new Queue<AttemptResult<string>>(
            [Broken with { Outcome = ScriptedOutcomes.BrokenUntil(TimeSpan.FromSeconds(7)) }, Ok]);
        var call = layers.Call(_ => answers.Dequeue());

        var sending = layers.SendAsync(call);
        layers.Clock.Advance(TimeSpan.FromSeconds(6.9));
        var sentBefore = call.Sent.Count;
        layers.Clock.Advance(TimeSpan.FromSeconds(0.2));

        Assert.That(((await sending.InTime()).Reply, sentBefore, call.Sent.Count), Is.EqualTo(("ok", 1, 2)));
    }

    [Test]
    public async Task A_retry_at_another_endpoint_does_not_wait_for_Retry_After()
    {
        var call = _layers.Call(name => name == "a" ? Broken with { Outcome = ScriptedOutcomes.BrokenUntil(TimeSpan.FromMinutes(5)) } : Ok);

        Assert.That((await _layers.SendAsync(call).InTime()).Reply, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_pause_beyond_the_deadline_is_not_begun()
    {
        var settings = new CallSettings { Backoff = TimeSpan.FromMinutes(1), MaxBackoff = TimeSpan.FromMinutes(1) };
        var call = new ScriptedCall(_layers.Endpoints, settings, (_, _) => Task.FromResult(Broken)) { Left = TimeSpan.FromTicks(1) };

        await _layers.SendAsync(call).InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task The_request_may_say_which_answers_are_retried()
    {
        var wants404 = AtOnce with { RetryOn = status => status == 404 };
        var missing = _layers.Call(name => name == "a" ? new("404", ScriptedOutcomes.Answered) : Ok, wants404);
        var broken = _layers.Call(_ => Broken, wants404);

        await _layers.SendAsync(missing);
        await _layers.SendAsync(broken);

        Assert.That((string.Concat(missing.Sent), string.Concat(broken.Sent)), Is.EqualTo(("ab", "a")));
    }

    [Test]
    public async Task A_plain_request_is_not_sent_twice_whatever_its_retry_rule_says()
    {
        var call = new ScriptedCall(
            _layers.Endpoints, AtOnce with { RetryOn = _ => true }, (_, _) => Task.FromResult(Broken))
        { Repeatable = false };

        await _layers.SendAsync(call);

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task A_caller_that_cancels_in_a_pause_returns_at_once()
    {
        using var cancel = new CancellationTokenSource();
        var call = _layers.Call(_ => Broken, new() { Backoff = TimeSpan.FromSeconds(1) });

        var sending = _layers.SendAsync(call, cancel.Token);
        await cancel.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => sending.InTime());
        Assert.That(call.Sent, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task No_attempt_is_in_flight_after_the_request()
    {
        await _layers.SendAsync(_layers.Call(_ => Broken));

        Assert.That(_layers.Endpoints.All.Select(e => e.InFlight), Is.All.Zero);
    }

    [Test]
    public async Task A_request_without_an_endpoint_ends_at_once_without_a_token()
    {
        var call = _layers.Call(_ =>
        {
            foreach (var endpoint in _layers.Endpoints.All)
            {
                endpoint.Breaker.Open();
            }

            return Broken;
        });
        var before = _layers.Budget.Available;

        var answer = await _layers.SendAsync(call).InTime();

        Assert.That((answer.Reply, string.Concat(call.Sent), call.Attempts.MayHaveRun), Is.EqualTo(("no endpoint", "a", true)));
        Assert.That(before - _layers.Budget.Available, Is.LessThanOrEqualTo(1));
    }

    [TestCase(false, 3, "bc")]
    [TestCase(true, 1, "bc")]
    [TestCase(true, 2, "abc")]
    public async Task A_request_with_one_attempt_is_not_the_trial_of_an_open_circuit(bool isRepeatable, int attempts, string reached)
    {
        _layers.Endpoints[0].Breaker.Open(TimeSpan.FromSeconds(1));
        _layers.Clock.Advance(TimeSpan.FromSeconds(1.1));
        var balancer = _layers.Endpoints.Balancer("RoundRobin");
        var sent = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            var call = new ScriptedCall(
                _layers.Endpoints,
                AtOnce with { Attempts = attempts },
                (_, _) => Task.FromResult(Ok),
                balancer)
            { Repeatable = isRepeatable };
            await _layers.SendAsync(call);
            sent.AddRange(call.Sent);
        }

        Assert.That(string.Concat(sent.Distinct().Order()), Is.EqualTo(reached));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_request_whose_body_does_not_survive_has_one_attempt(bool survives)
    {
        _layers.Endpoints[0].Breaker.Open(TimeSpan.FromSeconds(1));
        _layers.Clock.Advance(TimeSpan.FromSeconds(1.1));
        var call = new ScriptedCall(_layers.Endpoints, AtOnce, (_, _) => Task.FromResult(Ok)) { BodySurvives = survives };

        await _layers.SendAsync(call);

        Assert.That(string.Concat(call.Sent), Is.EqualTo(survives ? "a" : "b"));
    }

    [Test]
    public void An_endpoint_takes_no_more_attempts_than_its_limit()
    {
        var limited = new Endpoint(new("10.0.0.9", 1), _layers.Clock) { MaxInFlight = 1 };

        Assert.That((limited.TryBegin(limited: true), limited.TryBegin(limited: true), limited.InFlight), Is.EqualTo((true, false, 1)));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task An_ejected_endpoint_is_chosen_before_one_that_was_tried(bool isDeclined)
    {
        var layers = new Layers(endpoints: 2);
        using var ejection = new OutlierEjection(new(), layers.Clock);
        ejection.Update(layers.Endpoints.All);
        for (var i = 0; i < 5; i++)
        {
            ScriptedOutcomes.Broken.ApplyTo(layers.Endpoints[1]);
        }

        var call = new ScriptedCall(
            layers.Endpoints, AtOnce, (name, _) => Task.FromResult(name == "b" ? Ok : isDeclined ? Full : Refused))
        { Repeatable = false };
        var answer = await layers.SendAsync(call);

        Assert.That((layers.Endpoints[1].IsEjected, answer.Reply, string.Concat(call.Sent)), Is.EqualTo((true, "ok", "ab")));
    }

    [Test]
    public async Task A_failure_names_the_endpoint_where_it_happened()
    {
        var layers = new Layers(endpoints: 2);
        var call = layers.Call(_ => Refused);

        var answer = await layers.SendAsync(call);

        var first = call.Sent.First();
        Assert.That(
            (call.Sent.Distinct().Count(), call.Sent.Last(), Endpoints.NameOf(answer.FailedAt), call.NameOf(call.Attempts.Last)),
            Is.EqualTo((2, first, first, first)));
    }

    [Test]
    public async Task An_endpoint_that_drains_after_the_choice_does_not_count_as_tried()
    {
        var layers = new Layers(endpoints: 2);
        var first = layers.Endpoints[0];
        var call = new ScriptedCall(
            layers.Endpoints,
            AtOnce,
            (name, _) =>
            {
                first.State = EndpointState.Healthy;
                return Task.FromResult(name == "b" ? Full : Ok);
            },
            new ScriptedBalancer(layers.Endpoints.Balancer("RoundRobin"), (endpoint, pick) =>
            {
                if (pick > 1)
                {
                    return endpoint;
                }

                first.State = EndpointState.Draining;
                return first;
            }));

        var answer = await layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent), call.NameOf(call.Attempts.Last)), Is.EqualTo(("ok", "ba", "a")));
        Assert.That(layers.Endpoints.All.Select(e => e.InFlight), Is.All.Zero);
    }

    [Test]
    public async Task A_request_that_loses_the_race_for_a_trial_keeps_its_attempts()
    {
        var call = new ScriptedCall(
            _layers.Endpoints,
            AtOnce with { Attempts = 2 },
            (name, _) => Task.FromResult(name == "b" ? Broken : Ok),
            OpenedAfterFirstPick(_layers));

        var answer = await _layers.SendAsync(call);

        Assert.That((answer.Reply, string.Concat(call.Sent), call.Attempts.Count), Is.EqualTo(("ok", "bc", 2)));
    }

    [Test]
    public async Task A_request_that_loses_the_only_trial_fails_fast()
    {
        var layers = new Layers(endpoints: 1);
        var call = new ScriptedCall(layers.Endpoints, new(), (_, _) => Task.FromResult(Ok), OpenedAfterFirstPick(layers));

        var answer = await layers.SendAsync(call).InTime();

        Assert.That(
            (answer.Failure, call.Attempts.Count, layers.Budget.Available), Is.EqualTo((answer.Failure as CircuitOpenException, 0, 100.2)));
        Assert.That(answer.Failure, Is.Not.Null);
    }

    [Test]
    public async Task An_attempt_that_throws_has_ended([Values] bool isHedged)
    {
        var settings = AtOnce with
        {
            AttemptTimeout = TimeSpan.FromHours(
            1),
            HedgeAfter = isHedged ? TimeSpan.FromSeconds(1) : null
        }; // no timer, which would catch it
        var call = new ScriptedCall(
            _layers.Endpoints, settings, (_, _) => throw new InvalidOperationException("a listener's"));

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => _layers.SendAsync(call).InTime());

        Assert.That((failure!.Message, call.Hedge?.Running ?? 0), Is.EqualTo(("a listener's", 0)));
        Assert.That(_layers.Endpoints.All.Select(e => e.InFlight), Is.All.Zero);
    }

    private static ScriptedBalancer OpenedAfterFirstPick(Layers layers) => new(layers.Endpoints.Balancer("RoundRobin"), (endpoint, pick) =>
    {
        if (pick == 1)
        {
            endpoint!.Breaker.Open();
        }

        return endpoint;
    });
}
