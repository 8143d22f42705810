using System.Runtime.CompilerServices;
using Polly;
using Polly.Timeout;

namespace ServiceMesh.Http;

/// <summary>
/// A <see cref="CircuitBreaker"/> as a Polly strategy: asks the breaker of a call, makes the call, classifies the outcome and reports it.
/// A call that is not admitted ends at once with a <see cref="CircuitOpenException"/>. Thread-safe. A call that completes synchronously
/// allocates nothing, and other calls use pooled state machines.
/// </summary>
/// <typeparam name="TResult">The result of the pipeline's calls.</typeparam>
public sealed class CircuitBreakerStrategy<TResult> : ResilienceStrategy<TResult>
{
    private readonly Func<ResilienceContext, CircuitBreaker?>? _breakerOf;
    private readonly CircuitBreaker? _only;
    private readonly Func<Outcome<TResult>, ResilienceContext, bool?> _isFailed;

    /// <summary>Creates the strategy.</summary>
    /// <param name="options">Read once.</param>
    /// <param name="clock">The clock of the breakers that the strategy creates. Default: the system's.</param>
    /// <exception cref="ArgumentException">An option is not valid; the message names it.</exception>
    public CircuitBreakerStrategy(CircuitBreakerStrategyOptions<TResult> options, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var problems = options.Problems(options.Name ?? "CircuitBreaker").ToArray();
        if (problems.Length > 0)
        {
            throw new ArgumentException(string.Join(' ', problems), nameof(options));
        }

        var (settings, changed, seed, time) = (options.CircuitBreaker, options.Changed, options.Seed, clock ?? TimeProvider.System);
        _isFailed = options.IsFailed;
        _breakerOf = options.BreakerOf;
        if (options.KeyBuilder is { } keyOf)
        {
            var breakers = new KeyedCircuitBreakers(options.MaxKeys, Make, time);
            _breakerOf = context => keyOf(context) is { } key ? breakers.Find(key) : null;
        }
        else if (_breakerOf is null)
        {
            _only = Make(options.Name ?? "CircuitBreaker");
        }

        CircuitBreaker Make(string name)
        {
            var breaker = new CircuitBreaker(name, settings, time, seed);
            breaker.Changed += changed;
            return breaker;
        }
    }

    /// <inheritdoc/>
    protected override ValueTask<Outcome<TResult>> ExecuteCore<TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<TResult>>> callback, ResilienceContext context, TState state)
    {
        ArgumentNullException.ThrowIfNull(callback);
        ArgumentNullException.ThrowIfNull(context);
        if ((_only ?? _breakerOf!(context)) is not { } breaker)
        {
            return callback(context, state);
        }

        if (!breaker.TryEnter(out var pass))
        {
            return new(Outcome.FromException<TResult>(breaker.Refusal()));
        }

        var running = callback(context, state);
        if (!running.IsCompletedSuccessfully)
        {
            return ReportAsync(running, breaker, pass, context);
        }

        var outcome = running.Result;
        Report(outcome, breaker, pass, context);
        return new(outcome);
    }

    // The layers below return exceptions as outcomes. If one is thrown, the call counts as neither success nor failure.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome<TResult>> ReportAsync(
        ValueTask<Outcome<TResult>> running, CircuitBreaker breaker, CircuitPass pass, ResilienceContext context)
    {
        var outcome = await running.ConfigureAwait(context.ContinueOnCapturedContext);
        Report(outcome, breaker, pass, context);
        return outcome;
    }

    private void Report(Outcome<TResult> outcome, CircuitBreaker breaker, CircuitPass pass, ResilienceContext context)
    {
        // A failure after the caller has cancelled says nothing about the protected resource. A timeout does: it was waited for.
        if ((outcome.Exception is null or TimeoutRejectedException || !context.CancellationToken.IsCancellationRequested)
            && _isFailed(outcome, context) is { } failed)
        {
            breaker.Report(pass, failed);
        }
    }
}
