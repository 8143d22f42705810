using System.Diagnostics.Metrics;
using NUnit.Framework;
using ServiceMesh.Conformance;
using static ServiceMesh.Http.Tests.Layers;

namespace ServiceMesh.Http.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class HedgingTests
{
    private static readonly CallSettings s_hedged = AtOnce with { HedgeAfter = TimeSpan.FromMilliseconds(50) };
    private readonly Layers _layers = new();

    [Test]
    public async Task A_hedge_joins_a_slow_attempt_and_the_first_answer_counts()
    {
        var given = new TaskCompletionSource();
        var call = Slow("a", s_hedged, given);

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "ab")));
        await given.Task.InTime(); // the slow one has been cancelled
        Assert.That(() => _layers.Endpoints.All.Select(e => e.InFlight), Is.All.Zero.After(5000, 5));
    }

    [Test]
    public async Task A_quick_attempt_is_not_hedged()
    {
        var call = _layers.Call(_ => Ok, s_hedged);

        await _layers.SendAsync(call).InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task Hedges_and_retries_share_the_number_of_attempts()
    {
        var call = _layers.Call(_ => Broken, s_hedged with { Attempts = 3 });

        await _layers.SendAsync(call).InTime();

        Assert.That(call.Sent, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task An_empty_budget_allows_no_hedge()
    {
        var layers = new Layers(budget: new() { Ratio = 0, PerSecond = 0 });
        var done = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(layers.Endpoints, s_hedged, (_, _) => done.Task);

        var sending = layers.SendAsync(call);
        layers.Clock.Advance(TimeSpan.FromSeconds(1));
        done.SetResult(Ok);
        await sending.InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task A_plain_request_is_never_hedged()
    {
        var done = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(_layers.Endpoints, s_hedged, (_, _) => done.Task) { Repeatable = false };

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromSeconds(1));
        done.SetResult(Ok);
        await sending.InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task A_superseded_attempt_counts_as_slow_and_not_as_failed()
    {
        var given = new TaskCompletionSource();
        var call = Slow("a", s_hedged, given);
        var loser = _layers.Endpoints[0];

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await sending.InTime();
        await given.Task.InTime();

        Assert.That(() => loser.InFlight, Is.Zero.After(5000, 5));
        Assert.That(
            (loser.Latency.TotalMilliseconds, loser.LastFailed, loser.LastSuccess),
            Is.EqualTo((50.0, false, 0L)).Using<(double L, bool F, long S)>((x, y) => Math.Abs(x.L - y.L) < 1 && x.F == y.F && x.S == y.S));
        Assert.That(_layers.Endpoints[1].LastFailed, Is.False);
    }

    [Test]
    public async Task A_superseded_attempt_does_not_lower_the_latency()
    {
        var given = new TaskCompletionSource();
        var loser = _layers.Endpoints[0];
        loser.RecordSuccess(TimeSpan.FromSeconds(3));

        var sending = _layers.SendAsync(Slow("a", s_hedged, given));
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await sending.InTime();
        await given.Task.InTime();

        Assert.That(() => loser.InFlight, Is.Zero.After(5000, 5));
        Assert.That(loser.Latency.TotalSeconds, Is.InRange(2.9, 3));
    }

    [Test]
    public async Task A_cancelling_caller_makes_no_attempt_slow()
    {
        using var cancel = new CancellationTokenSource();
        var sending = _layers.SendAsync(Slow("abc", s_hedged, new()), cancel.Token);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(40));
        await cancel.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => sending.InTime());
        Assert.That(_layers.Endpoints[0].Latency.TotalMilliseconds, Is.EqualTo(30).Within(1), "as a new one");
    }

    [Test]
    public async Task An_attempt_beyond_its_timeout_has_failed_even_if_another_is_answered()
    {
        var last = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(_layers.Endpoints, s_hedged with
        {
            AttemptTimeout = TimeSpan.FromMilliseconds(
            100)
        }, async (name, token) =>
        {
            if (name == "a")
            {
                await Task.Delay(Timeout.Infinite, token);
            }

            return await last.Task.WaitAsync(token);
        });

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Sent.Count == 2);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => _layers.Endpoints[0].LastFailed);
        last.SetResult(Ok);

        Assert.That((await sending.InTime()).Reply, Is.EqualTo("ok"));
        Assert.That(_layers.Endpoints[0].Latency.TotalSeconds, Is.EqualTo(5).Within(0.1), "as any failure");
    }

    [Test]
    public async Task A_declined_hedge_moves_to_another_endpoint_without_a_token()
    {
        var layers = new Layers(budget: new() { Ratio = 0, PerSecond = 0.1, Window = TimeSpan.FromSeconds(10) }); // one token
        var call = new ScriptedCall(layers.Endpoints, s_hedged, async (name, token) =>
        {
            if (name == "a")
            {
                await Task.Delay(Timeout.Infinite, token);
            }

            return name == "b" ? Full : Ok;
        });

        var sending = layers.SendAsync(call);
        layers.Clock.Advance(TimeSpan.FromMilliseconds(50));

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent), layers.Budget.Available), Is.EqualTo(("ok", "abc", 0.0)));
    }

    [Test]
    public async Task A_hedged_request_pauses_after_a_failure_like_any_other()
    {
        var call = _layers.Call(name => name == "a" ? Broken : Ok, s_hedged with { Backoff = TimeSpan.FromSeconds(1) });

        var sending = _layers.SendAsync(call);
        var atOnce = string.Concat(call.Sent);
        _layers.Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.That(((await sending.InTime()).Reply, atOnce, string.Concat(call.Sent)), Is.EqualTo(("ok", "a", "ab")));
    }

    [Test]
    public async Task A_failed_hedge_waits_for_the_attempt_in_flight()
    {
        var slow = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(
            _layers.Endpoints, s_hedged with { Attempts = 2 }, (name, _) => name == "a" ? slow.Task : Task.FromResult(Broken));

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Attempts.MayHaveRun);
        slow.SetResult(Ok);

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "ab")));
        Assert.That(call.Discarded.Select(a => a.Reply), Is.EqualTo(["503"]), "what was passed over is known to the call");
    }

    [TestCase(true, "ok")]
    [TestCase(false, "503")]
    public async Task The_retry_rule_of_a_request_applies_to_hedges(bool isWorthAnother, string expected)
    {
        var slow = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(
            _layers.Endpoints, s_hedged with { Attempts = 2, RetryOn = status => isWorthAnother && status == 503 },
            (name, token) => name == "a" ? slow.Task.WaitAsync(token) : Task.FromResult(Broken));

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Attempts.MayHaveRun);
        if (isWorthAnother)
        {
            slow.SetResult(Ok);
        }

        Assert.That((await sending.InTime()).Reply, Is.EqualTo(expected));
    }

    [Test]
    public async Task A_declined_attempt_does_not_make_up_for_a_broken_one()
    {
        var layers = new Layers(endpoints: 2);
        var (first, second) = (new TaskCompletionSource<AttemptResult<string>>(), new TaskCompletionSource<AttemptResult<string>>());
        ScriptedCall call = null!;
        call = new(
            layers.Endpoints, s_hedged, (_, _) => call.Sent.Count switch { 1 => first.Task, 2 => second.Task, _ => Task.FromResult(Ok) });

        var sending = layers.SendAsync(call);
        layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Sent.Count == 2);
        first.SetResult(Full);
        await Failsafe.UntilAsync(() => call.Discarded.Count == 1);
        second.SetResult(Broken);

        Assert.That(((await sending.InTime()).Reply, call.Sent.Count), Is.EqualTo(("ok", 3)));
        Assert.That(layers.Budget.Available, Is.EqualTo(98.2).Within(0.001), "a token for the hedge and one for the retry");
    }

    [Test]
    public async Task A_declined_attempt_after_a_broken_one_does_not_add_attempts()
    {
        var first = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(
            _layers.Endpoints, s_hedged with { Attempts = 2 }, (name, _) => name switch
            {
                "a" => first.Task,
                "b" => Task.FromResult(
                Broken),
                _ => Task.FromResult(Ok)
            });

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Discarded.Count == 1);
        first.SetResult(Full);
        await sending.InTime();

        Assert.That((string.Concat(call.Sent), call.Attempts.MayHaveRun), Is.EqualTo(("ab", true)));
    }

    [Test]
    public async Task A_hedge_without_an_endpoint_does_not_end_the_request()
    {
        var first = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(
            _layers.Endpoints,
            s_hedged,
            (name, _) => name == "a" ? first.Task : Task.FromResult(Ok),
            new ScriptedBalancer(_layers.Endpoints.Balancer("RoundRobin"), (endpoint, pick) => pick == 2 ? null : endpoint));

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Discarded.Count == 1);
        first.SetResult(Broken);

        Assert.That(((await sending.InTime()).Reply, call.Sent.Count, call.Attempts.Count), Is.EqualTo(("ok", 2, 2)));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_superseded_attempt_may_have_run_if_it_was_sent(bool isSent)
    {
        var call = new ScriptedCall(_layers.Endpoints, s_hedged, async (name, token) =>
        {
            try
            {
                await Task.Delay(name == "a" ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, token);
            }
            catch (OperationCanceledException cancelled) when (!isSent)
            {
                throw new OperationCanceledException("", new NothingSentException(TimeoutPhase.Connect, cancelled), token);
            }

            return new("413", ScriptedOutcomes.Answered);
        });

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));

        Assert.That(
            ((await sending.InTime()).Reply, string.Concat(call.Sent), call.Attempts.MayHaveRun), Is.EqualTo(("413", "ab", isSent)));
    }

    [Test]
    public async Task An_empty_budget_is_asked_once_for_a_hedge()
    {
        var layers = new Layers(budget: new() { Ratio = 0, PerSecond = 0 });
        var counted = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, it) =>
        {
            if (instrument.Meter == layers.Meter && instrument.Name == "servicemesh.http.retries")
            {
                it.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref counted, count));
        listener.Start();
        var done = new TaskCompletionSource<AttemptResult<string>>();
        var asked = 0;
        var call = new ScriptedCall(layers.Endpoints, s_hedged, (_, _) => done.Task) { Asked = () => Interlocked.Increment(ref asked) };

        var sending = layers.SendAsync(call);
        await Failsafe.UntilAsync(() =>
        {
            layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
            return Volatile.Read(ref asked) >= 6;
        });
        done.SetResult(Ok);
        await sending.InTime();

        Assert.That((string.Concat(call.Sent), counted), Is.EqualTo(("a", 1L)));
    }

    private ScriptedCall Slow(
        string names, CallSettings settings, TaskCompletionSource givenUp) => new(_layers.Endpoints, settings, async (name, token) =>
    {
        if (names.Contains(name, StringComparison.Ordinal))
        {
            await using var told = token.Register(givenUp.SetResult);
            await Task.Delay(Timeout.Infinite, token);
        }

        return Ok;
    });
}
