using NUnit.Framework;
using ServiceMesh.Conformance;
using static ServiceMesh.Http.Tests.Layers;

namespace ServiceMesh.Http.Tests;

public sealed class AttemptTimeoutTests
{
    private readonly Layers _layers = new();

    [Test]
    public async Task An_attempt_that_takes_too_long_is_followed_by_another_at_another_endpoint()
    {
        var call = Hanging("a", AtOnce);

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromSeconds(10));

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "ab")));
        Assert.That(_layers.Endpoints[0].LastFailed, "a timeout speaks against the endpoint");
    }

    [Test]
    public async Task The_last_one_says_which_timeout_fired_after_how_long_and_where()
    {
        var call = Hanging("abc", AtOnce with { Attempts = 1, AttemptTimeout = TimeSpan.FromSeconds(2) });

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromSeconds(2));
        var failure = (await sending.InTime()).Failure as PhaseTimeoutException;

        Assert.That((failure?.Phase, failure?.Limit, failure?.Endpoint), Is.EqualTo((TimeoutPhase.Attempt, TimeSpan.FromSeconds(2), "a")));
        Assert.That(failure!.Message, Is.EqualTo("a had not answered completely within 2 s (timeout: Attempt)."));
    }

    [Test]
    public void A_plain_request_has_all_the_time_that_is_left() =>
        Assert.That(AtOnce.AttemptLimit(isRepeatable: false, TimeSpan.FromSeconds(30)), Is.EqualTo(Timeout.InfiniteTimeSpan));

    [Test]
    public void A_plain_request_is_cut_short_when_the_configuration_says_so() =>
        Assert.That((AtOnce with { AttemptTimeout = TimeSpan.FromSeconds(5) }).AttemptLimit(isRepeatable: false, TimeSpan.FromSeconds(30)), Is.EqualTo(TimeSpan.FromSeconds(5)));

    // The caller's token fires at its deadline, or because it cancels.
    [TestCase(12, true, true, Description = "as long as an attempt may take, until the deadline")]
    [TestCase(9, true, false, Description = "a caller with little patience")]
    [TestCase(12, false, false, Description = "a caller that cancels")]
    public async Task A_plain_request_that_hangs_speaks_against_the_endpoint_when_it_was_waited_for(int seconds, bool untilDeadline, bool counts)
    {
        var layers = new Layers();
        using var caller = new CancellationTokenSource();
        var call = new ScriptedCall(layers.Endpoints, AtOnce, HangAsync) { Repeatable = false, Left = untilDeadline ? TimeSpan.Zero : TimeSpan.FromSeconds(60) };

        var sending = layers.SendAsync(call, caller.Token);
        layers.Clock.Advance(TimeSpan.FromSeconds(seconds));
        await caller.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => sending.InTime());
        Assert.That(layers.Endpoints[0].LastFailed, Is.EqualTo(counts));
        for (var i = 0; i < 9; i++)
        {
            layers.Clock.Advance(TimeSpan.FromSeconds(1)); // each begins a bucket, so each is looked at
            Assert.That(layers.Endpoints[0].Breaker.TryEnter(out var pass));
            layers.Endpoints[0].Breaker.Report(pass, failed: true);
        }

        Assert.That(layers.Endpoints[0].Breaker.State == CircuitState.Open, Is.EqualTo(counts), "ten failures open it, nine do not");
    }

    [Test]
    public void The_headers_have_as_long_as_the_attempt_unless_something_else_is_said() =>
        Assert.That(
            ((AtOnce with { AttemptTimeout = TimeSpan.FromSeconds(20) }).HeadersLimit(isRepeatable: true, TimeSpan.FromSeconds(30)),
                (AtOnce with { HeadersTimeout = TimeSpan.FromSeconds(5) }).HeadersLimit(isRepeatable: false, TimeSpan.FromSeconds(30))),
            Is.EqualTo((Timeout.InfiniteTimeSpan, TimeSpan.FromSeconds(5))));

    [Test]
    public void No_timer_runs_that_the_deadline_precedes() =>
        Assert.That(AtOnce.AttemptLimit(isRepeatable: true, TimeSpan.FromSeconds(10)), Is.EqualTo(Timeout.InfiniteTimeSpan));

    [Test]
    public async Task The_total_bounds_all_attempts_and_pauses()
    {
        var call = new ScriptedCall(_layers.Endpoints, AtOnce with { Attempts = 10 }, HangAsync) { Total = TimeSpan.FromSeconds(25) };

        var sending = _layers.SendAsync(call);
        for (var i = 0; i < 25 && !sending.IsCompleted; i++)
        {
            _layers.Clock.Advance(TimeSpan.FromSeconds(1));
            await ReachedAsync(call, 1 + ((i + 1) / 10));
        }

        var failure = (await sending.InTime()).Failure as PhaseTimeoutException;
        Assert.That((failure?.Phase, failure?.Limit, call.Sent.Count), Is.EqualTo((TimeoutPhase.Total, TimeSpan.FromSeconds(25), 3)));
    }

    [Test]
    public async Task A_callers_cancellation_is_no_failure_of_the_endpoint()
    {
        using var cancel = new CancellationTokenSource();
        var call = new ScriptedCall(_layers.Endpoints, AtOnce, HangAsync);

        var sending = _layers.SendAsync(call, cancel.Token);
        await cancel.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => sending.InTime());
        Assert.That((_layers.Endpoints[0].LastFailed, _layers.Endpoints[0].InFlight, call.Sent.Count), Is.EqualTo((false, 0, 1)));
    }

    private ScriptedCall Hanging(string names, CallSettings settings) => new(
        _layers.Endpoints, settings, (name, token) => names.Contains(name, StringComparison.Ordinal) ? HangAsync(name, token) : Task.FromResult(Ok));

    private static async Task<AttemptResult<string>> HangAsync(string name, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        return Ok;
    }

    // The next attempt begins on a pool thread.
    private static async Task ReachedAsync(ScriptedCall call, int attempts)
    {
        while (call.Sent.Count < attempts)
        {
            await Task.Yield();
        }
    }
}
