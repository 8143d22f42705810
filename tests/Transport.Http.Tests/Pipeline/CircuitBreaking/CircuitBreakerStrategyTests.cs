using System.Threading.Tasks.Sources;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;
using ServiceMesh.Support;

namespace ServiceMesh.Http.Tests;

/// <summary>The breaker in pipelines of Polly.</summary>
public sealed class CircuitBreakerStrategyTests
{
    private FakeTimeProvider _clock = null!;

    private CircuitBreaker Breaker => new("weather", null, _clock, 1);

    [SetUp]
    public void Begin() => _clock = new();

    [Test]
    public async Task A_pipeline_fails_fast_with_a_typed_exception_and_recovers()
    {
        var pipeline = Pipeline(new());
        await TripAsync(pipeline);
        var calls = 0;
        var refusal = await Assert.ThrowsAsync<CircuitOpenException>(
            async () => await pipeline.ExecuteAsync(_ => new ValueTask<int>(++calls)));
        Assert.That((refusal!.Circuit, calls, refusal is BrokenCircuitException), Is.EqualTo(("CircuitBreaker", 0, true)));
        Assert.That(refusal.RetryAfter!.Value.TotalSeconds, Is.InRange(7, 10));
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.That(await pipeline.ExecuteAsync(async _ => await CompleteLaterAsync(7)), Is.EqualTo(7));
        Assert.That(await pipeline.ExecuteAsync(_ => new ValueTask<int>(8)), Is.EqualTo(8));
    }

    [Test]
    public async Task IsFailed_decides_which_outcomes_are_failures()
    {
        var pipeline = Pipeline(new() { IsFailed = (outcome, _) => outcome is { Exception: null, Result: 500 } });
        await CallAsync(pipeline, () => throw new InvalidOperationException(), times: 100);
        Assert.That(await IsOpenAsync(pipeline), Is.False);
        await CallAsync(pipeline, () => 500, times: 140);
        Assert.That(await IsOpenAsync(pipeline), Is.True);
    }

    [Test]
    public async Task An_outcome_without_a_verdict_of_IsFailed_does_not_count()
    {
        var pipeline = Pipeline(new() { IsFailed = (outcome, _) => outcome.Result == 0 ? null : outcome.Result == 500 });
        var turn = 0;
        await CallAsync(pipeline, () => ++turn % 3 == 0 ? 500 : 0, times: 100);
        Assert.That(await IsOpenAsync(pipeline), Is.True, "a third is not half, but nothing else says anything");
    }

    [Test]
    public async Task IsFailed_receives_the_context()
    {
        var forgiven = new ResiliencePropertyKey<bool>("forgiven");
        var pipeline = Pipeline(new() { IsFailed = (_, context) => !context.Properties.GetValue(forgiven, false) });
        var context = ResilienceContextPool.Shared.Get();
        context.Properties.Set(forgiven, true);
        for (var i = 0; i < 100; i++)
        {
            await pipeline.ExecuteAsync(_ => new ValueTask<int>(1), context);
            _clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        ResilienceContextPool.Shared.Return(context);
        Assert.That(await IsOpenAsync(pipeline), Is.False);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_failure_after_a_cancellation_does_not_count(bool later)
    {
        var breaker = Breaker;
        var pipeline = Pipeline(new() { BreakerOf = _ => breaker });
        for (var i = 0; i < 100; i++)
        {
            await CancelAsync(new OperationCanceledException());
            await CancelAsync(new IOException("aborted"));
        }

        Assert.That(breaker.State, Is.EqualTo(CircuitState.Closed));
        for (var i = 0; i < 20; i++)
        {
            await CancelAsync(new TimeoutRejectedException());
        }

        Assert.That(breaker.State, Is.EqualTo(CircuitState.Open), "a timeout was waited for, whatever the caller did then");

        async Task CancelAsync(Exception failure)
        {
            using var caller = new CancellationTokenSource();
            var context = ResilienceContextPool.Shared.Get(caller.Token);
            await pipeline.ExecuteOutcomeAsync(
                async (_, wait) =>
                {
                    if (wait)
                    {
                        await Task.Yield();
                    }

                    await caller.CancelAsync();
                    return Outcome.FromException<int>(failure);
                },
                context, later);
            ResilienceContextPool.Shared.Return(context);
            _clock.Advance(TimeSpan.FromMilliseconds(100));
        }
    }

    [Test]
    public async Task A_trial_whose_caller_cancels_leaves_the_circuit_half_open()
    {
        var (source, breaker) = (new CancellationTokenSource(), Breaker);
        var pipeline = Pipeline(new() { BreakerOf = _ => breaker });
        await TripAsync(pipeline);
        _clock.Advance(TimeSpan.FromSeconds(10));
        var trial = pipeline.ExecuteAsync(async token => { await Task.Delay(Timeout.Infinite, token); return 1; }, source.Token).AsTask();
        await source.CancelAsync();
        Assert.That(async () => await trial, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(breaker.State, Is.EqualTo(CircuitState.HalfOpen));
        source.Dispose();
    }

    [Test]
    public async Task Equal_keys_share_a_breaker_and_a_null_key_has_none()
    {
        var key = new ResiliencePropertyKey<string?>("key");
        var changed = new List<string>();
        var pipeline = Pipeline(new()
        {
            KeyBuilder = context => context.Properties.GetValue(key, null),
            Changed = (breaker, change) => changed.Add($"{((CircuitBreaker)breaker!).Name} {change.To}"),
        });
        for (var i = 0; i < 20; i++)
        {
            await CallAsync("bad", fails: true);
            await CallAsync(null, fails: true);
            await CallAsync("good", fails: false);
            _clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.That(changed, Is.EqualTo(["bad Open"]));

        async Task CallAsync(string? value, bool fails)
        {
            var context = ResilienceContextPool.Shared.Get();
            context.Properties.Set(key, value);
            await pipeline.ExecuteOutcomeAsync(
                (_, _) => new ValueTask<Outcome<int>>(fails ? Outcome.FromException<int>(new IOException()) : Outcome.FromResult(1)),
                context,
                0);
            ResilienceContextPool.Shared.Return(context);
        }
    }

    [Test]
    public void Idle_keys_are_removed_and_further_keys_share_one_breaker()
    {
        var breakers = new KeyedCircuitBreakers(3, name => new(name, null, _clock), _clock);
        var a = breakers.Find("a");
        breakers.Find("b").Open();
        a.TryEnter(out var pass);
        a.Report(pass, failed: true);
        Assert.That(breakers.Find("c").Name, Is.EqualTo("c"));
        Assert.That(breakers.Find("d").Name, Is.EqualTo("d"), "c was idle");
        breakers.Find("d").Open();
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(
            (breakers.Find("e").Name, ReferenceEquals(breakers.Find("e"), breakers.Find("f"))),
            Is.EqualTo((KeyedCircuitBreakers.Others, true)),
            "a has a failure in its window, b and d are open");
        Assert.That(breakers.Find("a"), Is.SameAs(a));
        _clock.Advance(TimeSpan.FromSeconds(21));
        Assert.That(breakers.Find("e").Name, Is.EqualTo("e"), "a is idle by now");
    }

    [Test]
    public void Invalid_options_are_named()
    {
        var both = new CircuitBreakerStrategyOptions<int>
        {
            Name = "mine",
            BreakerOf = _ => null,
            KeyBuilder = _ => "",
            MaxKeys = 0,
            IsFailed = null!
        };
        both.CircuitBreaker.MinimumRequestThreshold = 0;
        Assert.That(
            () => new ResiliencePipelineBuilder<int>().AddFastCircuitBreaker(both).Build(),
            Throws.ArgumentException.With.Message.Contains("mine:MinimumRequestThreshold is 0")
                .And.Message.Contains("mine:IsFailed is null")
                .And.Message.Contains("mine:MaxKeys is 0").And.Message.Contains("both BreakerOf and KeyBuilder"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_call_through_a_closed_circuit_allocates_nothing(bool later)
    {
        // A real clock as well, since the window moves on while this runs.
        var pipeline = new ResiliencePipelineBuilder<int>().AddFastCircuitBreaker(
            new() { CircuitBreaker = { CounterUpdateInterval = TimeSpan.FromMilliseconds(20) } }).Build();
        var context = ResilienceContextPool.Shared.Get();
        var answer = new Answer();
        Assert.That(Allocated.By(Run), Is.Zero);

        void Run()
        {
            for (var i = 0; i < 50_000; i++)
            {
                var running = pipeline.ExecuteOutcomeAsync(
                    static (_, a) => a is null ? new(Outcome.FromResult(1)) : a.Begin(), context, later ? answer : null);
                if (later)
                {
                    answer.End();
                }

                if (!running.IsCompletedSuccessfully || running.Result.Result != 1)
                {
                    Assert.Fail("not completed");
                }

                answer.Reset();
            }
        }
    }

    private ResiliencePipeline<int> Pipeline(CircuitBreakerStrategyOptions<int> options)
    {
        options.Seed = 1;
        return new ResiliencePipelineBuilder<int> { TimeProvider = _clock }.AddFastCircuitBreaker(options).Build();
    }

    private async Task CallAsync(ResiliencePipeline<int> pipeline, Func<int> call, int times)
    {
        for (var i = 0; i < times; i++)
        {
            try
            {
                await pipeline.ExecuteAsync(_ => new ValueTask<int>(call()));
            }
            catch (Exception failure) when (failure is InvalidOperationException or BrokenCircuitException)
            {
            }

            _clock.Advance(TimeSpan.FromMilliseconds(100));
        }
    }

    private async Task TripAsync(ResiliencePipeline<int> pipeline) =>
        await CallAsync(pipeline, () => throw new InvalidOperationException(), times: 20);

    private static async Task<bool> IsOpenAsync(ResiliencePipeline<int> pipeline)
    {
        try
        {
            await pipeline.ExecuteAsync(_ => new ValueTask<int>(1));
            return false;
        }
        catch (CircuitOpenException)
        {
            return true;
        }
    }

    private static async Task<int> CompleteLaterAsync(int value)
    {
        await Task.Yield();
        return value;
    }

    /// <summary>An answer that comes when the test says so, again and again, without allocating.</summary>
    private sealed class Answer : IValueTaskSource<Outcome<int>>
    {
        private ManualResetValueTaskSourceCore<Outcome<int>> _core;

        public ValueTask<Outcome<int>> Begin() => new(this, _core.Version);

        public void End() => _core.SetResult(Outcome.FromResult(1));

        public void Reset() => _core.Reset();

        public Outcome<int> GetResult(short token) => _core.GetResult(token);

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);
    }
}
