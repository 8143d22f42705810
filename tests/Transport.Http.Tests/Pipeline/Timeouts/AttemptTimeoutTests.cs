using NUnit.Framework;
using ServiceMesh.Conformance;
using static ServiceMesh.Http.Tests.Layers;

namespace ServiceMesh.Http.Tests;

public sealed class AttemptTimeoutTests
{
    private readonly Layers _layers = new();

    [Test]
    public async Task A_slow_attempt_is_followed_by_one_at_another_endpoint()
    {
        var call = Hanging("a", AtOnce);

        var sending = _layers.SendAsync(call);
        _layers.Clock.Advance(TimeSpan.FromSeconds(10));

        Assert.That(((await sending.InTime()).Reply, string.Concat(call.Sent)), Is.EqualTo(("ok", "ab")));
        Assert.That(_layers.Endpoints[0].LastFailed, "a timeout speaks against the endpoint");
    }

    [Test]
    public async Task The_exception_of_the_last_attempt_names_timeout_limit_and_endpoint()
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
    public void A_configured_attempt_timeout_ends_a_plain_request() =>
        Assert.That(
            (AtOnce with { AttemptTimeout = TimeSpan.FromSeconds(5) }).AttemptLimit(isRepeatable: false, TimeSpan.FromSeconds(30)),
            Is.EqualTo(TimeSpan.FromSeconds(5)));

    // The caller's token fires at its deadline, or because it cancels.
    [TestCase(12, true, true, Description = "as long as an attempt may take, until the deadline")]
    [TestCase(9, true, false, Description = "a caller with little patience")]
    [TestCase(12, false, false, Description = "a caller that cancels")]
    public async Task A_hanging_plain_request_counts_only_after_a_full_attempt_timeout(int seconds, bool untilDeadline, bool counts)
    {
        var layers = new Layers();
        using var caller = new CancellationTokenSource();
        var call = new ScriptedCall(
            layers.Endpoints, AtOnce, HangAsync)
        { Repeatable = false, Left = untilDeadline ? TimeSpan.Zero : TimeSpan.FromSeconds(60) };

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
    public void The_headers_timeout_is_that_of_the_attempt_by_default() =>
        Assert.That(
            ((AtOnce with { AttemptTimeout = TimeSpan.FromSeconds(20) }).HeadersLimit(isRepeatable: true, TimeSpan.FromSeconds(30)),
                (AtOnce with { HeadersTimeout = TimeSpan.FromSeconds(5) }).HeadersLimit(isRepeatable: false, TimeSpan.FromSeconds(30))),
            Is.EqualTo((Timeout.InfiniteTimeSpan, TimeSpan.FromSeconds(5))));

    [Test]
    public void No_timer_runs_that_would_fire_after_the_deadline() =>
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
    public async Task A_cancellation_by_the_caller_is_not_a_failure_of_the_endpoint()
    {
        using var cancel = new CancellationTokenSource();
        var call = new ScriptedCall(_layers.Endpoints, AtOnce, HangAsync);

        var sending = _layers.SendAsync(call, cancel.Token);
        await cancel.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => sending.InTime());
        Assert.That((_layers.Endpoints[0].LastFailed, _layers.Endpoints[0].InFlight, call.Sent.Count), Is.EqualTo((false, 0, 1)));
    }

    private ScriptedCall Hanging(string names, CallSettings settings) => new(
        _layers.Endpoints, settings, (name, token) => names.Contains(
            name, StringComparison.Ordinal) ? HangAsync(name, token) : Task.FromResult(Ok));

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
