using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using ServiceMesh.Conformance;

namespace ServiceMesh.Http.Tests;

/// <summary>What becomes of a body that is read ahead when the time of its attempt is over.</summary>
[CancelAfter(20_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ReadAheadTests : IDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Arriving _arriving = new();
    private readonly Endpoint _endpoint;
    private readonly HttpResponseMessage _response;

    public ReadAheadTests()
    {
        _response = new() { Content = new StreamContent(_arriving) };
        _endpoint = new(new("10.0.0.1", 1), _clock);
        _endpoint.Begin();
    }

    public void Dispose()
    {
        _response.Dispose();
        _arriving.Dispose();
    }

    [Test]
    public async Task A_body_that_still_arrives_becomes_a_stream(CancellationToken cancellationToken)
    {
        using var attempt = new CancellationTokenSource();
        var reading = ApplyAsync(() => true, attempt.Token);
        await _arriving.SendAsync([1, 2, 3]);
        _clock.Advance(TimeSpan.FromSeconds(9)); // it pauses, and may be a good answer all the same

        await attempt.CancelAsync();
        await reading.InTime();
        Assert.That(_endpoint.InFlight, Is.EqualTo(1));
        var all = _response.Content.ReadAsByteArrayAsync(cancellationToken);
        await _arriving.SendAsync([4, 5]);
        await _arriving.SendAsync([6]);
        await _arriving.SendAsync([]);

        Assert.That(await all.InTime(), Is.EqualTo(new byte[] { 1, 2, 3, 4, 5, 6 }));
        Assert.That((_endpoint.InFlight, _endpoint.LastFailed), Is.EqualTo((0, false)));
    }

    [Test]
    public async Task A_body_that_may_not_be_handed_over_is_cancelled()
    {
        using var attempt = new CancellationTokenSource();
        var reading = ApplyAsync(() => false, attempt.Token);
        await _arriving.SendAsync([1, 2, 3]);

        await attempt.CancelAsync();

        await Assert.CatchAsync<OperationCanceledException>(() => reading.InTime());
        Assert.That((_arriving.WasCancelled, _endpoint.LastFailed), Is.EqualTo((true, false)));
    }

    [Test]
    public async Task A_body_that_was_handed_over_ends_with_the_idle_timeout(CancellationToken cancellationToken)
    {
        using var attempt = new CancellationTokenSource();
        var reading = ApplyAsync(() => true, attempt.Token);
        await _arriving.SendAsync([1]);
        await attempt.CancelAsync();
        await reading.InTime();
        var all = _response.Content.ReadAsByteArrayAsync(cancellationToken);

        _clock.Advance(TimeSpan.FromSeconds(60));

        var failure = await Assert.CatchAsync<Exception>(() => all.InTime());
        Assert.That(PhaseTimeoutException.In(failure)?.Phase, Is.EqualTo(TimeoutPhase.Idle), failure!.ToString());
        Assert.That((_endpoint.InFlight, _endpoint.LastFailed), Is.EqualTo((0, true)));
    }

    [Test]
    public async Task A_caller_can_cancel_the_read_of_a_body_that_was_handed_over()
    {
        using var attempt = new CancellationTokenSource();
        var reading = ApplyAsync(() => true, attempt.Token);
        await attempt.CancelAsync();
        await reading.InTime();
        using var caller = new CancellationTokenSource();
        await using var body = await _response.Content.ReadAsStreamAsync(caller.Token);
        var read = body.ReadAsync(new byte[1], caller.Token).AsTask();

        await caller.CancelAsync();

        var failure = await Assert.CatchAsync<OperationCanceledException>(() => read.InTime());
        Assert.That((failure!.CancellationToken, _endpoint.InFlight, _endpoint.LastFailed), Is.EqualTo((caller.Token, 0, false)));
    }

    [Test]
    public async Task A_body_that_was_handed_over_and_dropped_ends_its_attempt()
    {
        using var attempt = new CancellationTokenSource();
        var reading = ApplyAsync(() => true, attempt.Token);
        await attempt.CancelAsync();
        await reading.InTime();

        _response.Dispose();

        Assert.That((_endpoint.InFlight, _endpoint.LastFailed), Is.EqualTo((0, false)));
    }

    private Task ApplyAsync(Func<bool> mayHandOver, CancellationToken attempt) => ReadAhead.ApplyAsync(
        _response, new BodyStream(_arriving, TimeSpan.FromSeconds(60), new(_clock, default), _endpoint, "here"), 1000, mayHandOver,
        attempt);

    // A connection to which the test gives parts. A part is sent when the reader waits for it, and was read when the reader waits again.
    private sealed class Arriving : Stream
    {
        private readonly SemaphoreSlim _wanted = new(0);
        private TaskCompletionSource<byte[]> _next = new();

        public bool WasCancelled { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public async Task SendAsync(byte[] part)
        {
            await _wanted.WaitAsync().InTime();
            var next = _next;
            _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
            next.SetResult(part);
            if (part.Length > 0)
            {
                await _wanted.WaitAsync().InTime(); // it was read
                _wanted.Release();
            }
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var next = _next;
            _wanted.Release();
            try
            {
                var part = await next.Task.WaitAsync(cancellationToken);
                part.CopyTo(buffer);
                return part.Length;
            }
            catch (OperationCanceledException)
            {
                WasCancelled = true;
                throw;
            }
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
