using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace ServiceMesh.Http.Tests;

/// <summary>What the end of a streamed response says about its endpoint.</summary>
public sealed class BodyStreamTests
{
    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task A_stream_that_breaks_off_is_a_failure_for_the_breaker()
    {
        var endpoint = Begin(minimum: 1);
        await using var body = Body(endpoint, new Broken());
        _clock.Advance(TimeSpan.FromSeconds(1));

        await Assert.CatchAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1]));

        Assert.That((endpoint.LastFailed, endpoint.InFlight, endpoint.Breaker.State), Is.EqualTo((true, 0, CircuitState.Open)));
    }

    [Test]
    public async Task A_broken_stream_is_reported_once_however_often_it_is_read()
    {
        var endpoint = Begin(minimum: 3);
        await using var body = Body(endpoint, new Broken());
        for (var i = 0; i < 5; i++)
        {
            await Assert.CatchAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1]));
        }

        _clock.Advance(TimeSpan.FromSeconds(1));
        Report(endpoint, failed: false); // looks at the window: one failure, one success
        Assert.That(endpoint.Breaker.State, Is.EqualTo(CircuitState.Closed));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Report(endpoint, failed: false);
        Assert.That(endpoint.Breaker.State, Is.EqualTo(CircuitState.Open), "three outcomes, and one failed");
    }

    [Test]
    public async Task A_stream_that_the_caller_disposes_or_cancels_has_not_failed()
    {
        var endpoint = Begin(minimum: 1);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var disposed = Body(endpoint, new Broken());
        await disposed.DisposeAsync();
        await Assert.CatchAsync<Exception>(async () => await disposed.ReadExactlyAsync(new byte[1]));
        await using var cancelled = Body(endpoint, new Broken());
        await Assert.CatchAsync<OperationCanceledException>(
            async () => await cancelled.ReadExactlyAsync(new byte[1], new CancellationToken(true)));

        Assert.That((endpoint.LastFailed, endpoint.InFlight, endpoint.Breaker.State), Is.EqualTo((false, 0, CircuitState.Closed)));
    }

    [Test]
    public async Task A_stream_from_before_an_outage_does_not_open_the_circuit_again()
    {
        var endpoint = Begin(minimum: 1);
        var rest = new Broken(good: 1);
        await using var body = Body(endpoint, rest);
        await body.ReadExactlyAsync(new byte[1]);
        endpoint.Breaker.Open();
        endpoint.Breaker.Close();
        _clock.Advance(TimeSpan.FromSeconds(1));

        await Assert.CatchAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1]));

        Assert.That((endpoint.LastFailed, endpoint.Breaker.State), Is.EqualTo((true, CircuitState.Closed)));
    }

    [Test]
    public async Task A_trial_whose_stream_breaks_counts_against_the_circuit_that_it_closed()
    {
        var endpoint = Begin(minimum: 1);
        endpoint.Breaker.Open(TimeSpan.FromSeconds(1));
        _clock.Advance(TimeSpan.FromSeconds(2));
        endpoint.Breaker.TryEnter(out var trial);
        await using var body = Body(endpoint, new Broken());
        endpoint.Breaker.Report(trial, failed: false); // the headers
        _clock.Advance(TimeSpan.FromSeconds(1));

        await Assert.CatchAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1]));

        Assert.That(endpoint.Breaker.State, Is.EqualTo(CircuitState.Open));
    }

    [Test]
    public async Task A_break_during_read_ahead_is_left_to_the_attempt()
    {
        var endpoint = Begin(minimum: 1);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await using var body = new BodyStream(new Broken(), TimeSpan.FromSeconds(60), new(_clock, default), endpoint, "here");

        await Assert.CatchAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1]));

        Assert.That((endpoint.LastFailed, endpoint.InFlight, endpoint.Breaker.State), Is.EqualTo((false, 0, CircuitState.Closed)));
    }

    // Any failure opens the circuit, once there are enough outcomes.
    private Endpoint Begin(int minimum)
    {
        var endpoint = new Endpoint(new("10.0.0.1", 1), _clock);
        EndpointProtection.Add(endpoint, new() { FailureRateThreshold = 0, MinimumRequestThreshold = minimum });
        return endpoint;
    }

    private BodyStream Body(Endpoint endpoint, Stream rest)
    {
        endpoint.Begin();
        var body = new BodyStream(rest, TimeSpan.FromSeconds(60), new(_clock, default), endpoint, "here");
        body.TryHoldAttempt();
        return body;
    }

    private static void Report(Endpoint endpoint, bool failed)
    {
        Assert.That(endpoint.Breaker.TryEnter(out var pass), Is.True);
        endpoint.Breaker.Report(pass, failed);
    }

    // A connection that gives so many bytes and breaks.
    private sealed class Broken(int good = 0) : MemoryStream
    {
        private int _left = good;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _left-- > 0 ? ValueTask.FromResult(1) : throw new IOException("reset");
    }
}
