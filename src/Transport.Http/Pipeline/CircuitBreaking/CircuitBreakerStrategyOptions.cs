using Polly;

namespace ServiceMesh.Http;

/// <summary>
/// Options of the circuit breaker as a strategy of a Polly pipeline. <see cref="BreakerOf"/> or <see cref="KeyBuilder"/> decides which
/// breaker a call uses; without either all calls of the strategy use the same breaker.
/// </summary>
/// <typeparam name="TResult">The result of the pipeline's calls.</typeparam>
/// <example>
/// <code source="samples/Snippets/Resilience.cs" region="strategy" />
/// </example>
public sealed class CircuitBreakerStrategyOptions<TResult> : ResilienceStrategyOptions
{
    /// <summary>Creates options with their defaults.</summary>
    public CircuitBreakerStrategyOptions() => Name = "CircuitBreaker";

    /// <summary>When circuits open and how they are tried again. Not used with <see cref="BreakerOf"/>.</summary>
    public CircuitBreakerOptions CircuitBreaker { get; set; } = new();

    /// <summary>
    /// Whether an outcome is a failure of the protected resource; null if it counts as neither success nor failure, such as an exception
    /// that the caller itself caused. It is called on the thread of the call and must be quick. It is not called for an exception after the
    /// call's own token was cancelled, which counts as neither, except for a <see cref="Polly.Timeout.TimeoutRejectedException"/>. Default:
    /// every exception is a failure.
    /// </summary>
    public Func<Outcome<TResult>, ResilienceContext, bool?> IsFailed { get; set; } = static (outcome, _) => outcome.Exception is not null;

    /// <summary>
    /// The key of a call. Calls with equal keys share a breaker, which is created with the first call. If the key is null, the call has no
    /// breaker. Default: none, one breaker for all calls.
    /// </summary>
    public Func<ResilienceContext, string?>? KeyBuilder { get; set; }

    /// <summary>
    /// The maximum number of keys with their own breaker. If there are more, breakers that are closed and had no call within the window are
    /// removed. If there are none to remove, all further keys share one breaker. At least 1. Default: 1024.
    /// </summary>
    public int MaxKeys { get; set; } = 1024;

    /// <summary>
    /// Returns the breaker of a call from breakers that the application keeps, for instance that of the called endpoint. If it returns
    /// null, the call has no breaker. Default: none.
    /// </summary>
    public Func<ResilienceContext, Http.CircuitBreaker?>? BreakerOf { get; set; }

    /// <summary>
    /// A handler of <see cref="Http.CircuitBreaker.Changed"/> for the breakers that the strategy creates. Not used with
    /// <see cref="BreakerOf"/>. Default: none.
    /// </summary>
    public EventHandler<CircuitChange>? Changed { get; set; }

    /// <summary>The seed of the breakers that the strategy creates. Default: a random seed for each.</summary>
    public int? Seed { get; set; }

    /// <summary>A sentence for each option that is not valid.</summary>
    /// <param name="key">The name of the options, for messages.</param>
    internal IEnumerable<string> Problems(string key)
    {
        string?[] problems =
        [
            .. CircuitBreaker is null ? [$"{key}:{nameof(CircuitBreaker)} is null."] : CircuitBreaker.Problems(key),
            IsFailed is null ? $"{key}:{nameof(IsFailed)} is null; leave it out to count every exception." : null,
            MaxKeys < 1 ? $"{key}:{nameof(MaxKeys)} is {MaxKeys}; at least 1 is allowed." : null,
            BreakerOf is not null && KeyBuilder is not null
                ? $"{key} has both {nameof(BreakerOf)} and {nameof(KeyBuilder)}. Set one: either the application keeps the breakers, " +
                    "or the strategy does."
                : null,
        ];
        return problems.OfType<string>();
    }
}
