using System.Runtime.CompilerServices;
using Polly;
using Polly.Timeout;

namespace ServiceMesh.Http;

/// <summary>
/// A <see cref="CircuitBreaker"/> as a strategy: asks the breaker of a call, makes the call, judges and reports its outcome.
/// A call that is not admitted ends at once with a <see cref="CircuitOpenException"/>. Thread-safe. Calls that complete at
/// once allocate nothing, and those that do not take what waits for them from a pool.
/// </summary>
/// <typeparam name="TResult">What the pipeline's calls return.</typeparam>
public sealed class CircuitBreakerStrategy<TResult> : ResilienceStrategy<TResult>
{
    private readonly Func<ResilienceContext, CircuitBreaker?>? _breakerOf;
    private readonly CircuitBreaker? _only;
    private readonly Func<Outcome<TResult>, ResilienceContext, bool?> _isFailed;
    private readonly Func<ResilienceContext, bool>? _countsCancelled;

    /// <summary>Makes the strategy.</summary>
    /// <param name="options">Read once.</param>
    /// <param name="clock">The clock of the breakers that the strategy makes. Default: the system's.</param>
    /// <exception cref="ArgumentException">The options cannot work; the message says why.</exception>
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
        _countsCancelled = options.CountsCancelled;
        _breakerOf = options.BreakerOf;
        if (options.KeyBuilder is { } keyOf)
        {
            var breakers = new CircuitsByKey(options.MaxKeys, Make, time);
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
            return SettleLaterAsync(running, breaker, pass, context);
        }

        var outcome = running.Result;
        Settle(outcome, breaker, pass, context);
        return new(outcome);
    }

    // What is beneath returns its exceptions as outcomes. Should it throw one, the call counts neither for nor against.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome<TResult>> SettleLaterAsync(
        ValueTask<Outcome<TResult>> running, CircuitBreaker breaker, CircuitPass pass, ResilienceContext context)
    {
        var outcome = await running.ConfigureAwait(context.ContinueOnCapturedContext);
        Settle(outcome, breaker, pass, context);
        return outcome;
    }

    private void Settle(Outcome<TResult> outcome, CircuitBreaker breaker, CircuitPass pass, ResilienceContext context)
    {
        // What fails after its caller has gone says nothing of what is behind the breaker. A timeout does: it was waited for.
        if ((outcome.Exception is null or TimeoutRejectedException || !context.CancellationToken.IsCancellationRequested || _countsCancelled?.Invoke(context) == true)
            && _isFailed(outcome, context) is { } failed)
        {
            breaker.Report(pass, failed);
        }
    }
}
