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
    public async Task A_slow_attempt_is_joined_by_another_and_the_first_answer_counts()
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
    public async Task An_attempt_that_is_quick_enough_stays_alone()
    {
        var call = _layers.Call(_ => Ok, s_hedged);

        await _layers.SendAsync(call).InTime();

        Assert.That(string.Concat(call.Sent), Is.EqualTo("a"));
    }

    [Test]
    public async Task Hedges_and_retries_draw_on_the_same_attempts()
    {
        var call = _layers.Call(_ => Broken, s_hedged with { Attempts = 3 });

        await _layers.SendAsync(call).InTime();

        Assert.That(call.Sent, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Without_a_token_there_is_no_hedge()
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
    public async Task The_loser_counts_as_slow_and_not_as_failed()
    {
        var given = new TaskCompletionSource();
        var call = Slow("a", s_hedged, given);
        var loser = _layers.Endpoints[0];

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await sending.InTime();
        await given.Task.InTime();

        Assert.That(() => loser.InFlight, Is.Zero.After(5000, 5));
        Assert.That((loser.Latency.TotalMilliseconds, loser.LastFailed, loser.LastSuccess), Is.EqualTo((50.0, false, 0L)).Using<(double L, bool F, long S)>((x, y) => Math.Abs(x.L - y.L) < 1 && x.F == y.F && x.S == y.S));
        Assert.That(_layers.Endpoints[1].LastFailed, Is.False);
    }

    [Test]
    public async Task A_loser_that_was_quicker_than_usual_does_not_look_quicker_for_it()
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
    public async Task A_caller_that_cancels_makes_no_attempt_slow()
    {
        using var cancel = new CancellationTokenSource();
        var sending = _layers.SendAsync(Slow("abc", s_hedged, new()), cancel.Token);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(40));
        await cancel.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => sending.InTime());
        Assert.That(_layers.Endpoints[0].Latency.TotalMilliseconds, Is.EqualTo(30).Within(1), "as a new one");
    }

    [Test]
    public async Task An_attempt_that_hangs_beyond_its_own_timeout_has_failed_though_another_answers()
    {
        var last = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(_layers.Endpoints, s_hedged with { AttemptTimeout = TimeSpan.FromMilliseconds(100) }, async (name, token) =>
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
    public async Task A_hedge_that_is_declined_goes_on_to_another_endpoint_for_no_token()
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
    public async Task A_request_that_may_be_hedged_pauses_like_any_other_when_an_attempt_fails()
    {
        var call = _layers.Call(name => name == "a" ? Broken : Ok, s_hedged with { Backoff = TimeSpan.FromSeconds(1) });

        var sending = _layers.SendAsync(call);
        var atOnce = string.Concat(call.Sent);
        _layers.Clock.Advance(TimeSpan.FromSeconds(1));

        Assert.That(((await sending.InTime()).Reply, atOnce, string.Concat(call.Sent)), Is.EqualTo(("ok", "a", "ab")));
    }

    [Test]
    public async Task A_hedge_that_fails_waits_for_the_attempt_that_is_under_way()
    {
        var slow = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(_layers.Endpoints, s_hedged with { Attempts = 2 }, (name, _) => name == "a" ? slow.Task : Task.FromResult(Broken));

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Attempts.MayHaveRun);
        slow.SetResult(Ok);

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "ab")));
        Assert.That(call.Discarded.Select(a => a.Reply), Is.EqualTo(["503"]), "what was passed over is known to the call");
    }

    [TestCase(true, "ok")]
    [TestCase(false, "503")]
    public async Task What_the_request_says_of_answers_holds_for_hedges_too(bool isWorthAnother, string expected)
    {
        var slow = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(
            _layers.Endpoints, s_hedged with { Attempts = 2, RetryOn = status => isWorthAnother && status == 503 }, (name, token) => name == "a" ? slow.Task.WaitAsync(token) : Task.FromResult(Broken));

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
    public async Task What_was_declined_does_not_make_up_for_what_broke_beside_it()
    {
        var layers = new Layers(endpoints: 2);
        var (first, second) = (new TaskCompletionSource<AttemptResult<string>>(), new TaskCompletionSource<AttemptResult<string>>());
        ScriptedCall call = null!;
        call = new(layers.Endpoints, s_hedged, (_, _) => call.Sent.Count switch { 1 => first.Task, 2 => second.Task, _ => Task.FromResult(Ok) });

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
    public async Task What_is_declined_after_another_broke_is_no_way_around_the_attempts_that_there_are()
    {
        var first = new TaskCompletionSource<AttemptResult<string>>();
        var call = new ScriptedCall(
            _layers.Endpoints, s_hedged with { Attempts = 2 }, (name, _) => name switch { "a" => first.Task, "b" => Task.FromResult(Broken), _ => Task.FromResult(Ok) });

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromMilliseconds(50));
        await Failsafe.UntilAsync(() => call.Discarded.Count == 1);
        first.SetResult(Full);
        await sending.InTime();

        Assert.That((string.Concat(call.Sent), call.Attempts.MayHaveRun), Is.EqualTo(("ab", true)));
    }

    [Test]
    public async Task A_hedge_for_which_nobody_is_left_does_not_end_the_request()
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
    public async Task What_hung_while_another_answered_may_have_run_if_it_was_sent(bool isSent)
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

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent), call.Attempts.MayHaveRun), Is.EqualTo(("413", "ab", isSent)));
    }

    [Test]
    public async Task A_budget_without_a_token_is_asked_once_for_a_hedge()
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

    private ScriptedCall Slow(string names, CallSettings settings, TaskCompletionSource givenUp) => new(_layers.Endpoints, settings, async (name, token) =>
    {
        if (names.Contains(name, StringComparison.Ordinal))
        {
            await using var told = token.Register(givenUp.SetResult);
            await Task.Delay(Timeout.Infinite, token);
        }

        return Ok;
    });
}
