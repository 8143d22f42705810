using Polly;

namespace ServiceMesh.Http;

/// <summary>
/// Options of the circuit breaker as a strategy of a Polly pipeline. Which breaker a call meets is decided by
/// <see cref="BreakerOf"/>, or by <see cref="KeyBuilder"/>; without either all calls of the strategy meet one.
/// </summary>
/// <typeparam name="TResult">What the pipeline's calls return.</typeparam>
/// <example>
/// <code source="samples/Snippets/Resilience.cs" region="strategy" />
/// </example>
public sealed class CircuitBreakerStrategyOptions<TResult> : ResilienceStrategyOptions
{
    /// <summary>Makes options with their defaults.</summary>
    public CircuitBreakerStrategyOptions() => Name = "CircuitBreaker";

    /// <summary>When circuits open and how they are tried. Not used with <see cref="BreakerOf"/>.</summary>
    public CircuitBreakerOptions CircuitBreaker { get; set; } = new();

    /// <summary>
    /// Whether an outcome is a failure of what is behind the breaker; null when it says nothing of that, neither for nor against,
    /// such as an exception that is the caller's own fault. It is called on the thread of the call and must be
    /// quick. An exception that comes after the call's own token was cancelled is not asked about: it speaks neither for nor
    /// against (a <see cref="Polly.Timeout.TimeoutRejectedException"/> is asked about all the same). Default: every exception.
    /// </summary>
    public Func<Outcome<TResult>, ResilienceContext, bool?> IsFailed { get; set; } = static (outcome, _) => outcome.Exception is not null;

    /// <summary>
    /// Whether <see cref="IsFailed"/> is asked although the call's own token was cancelled: when that was a timeout. Default: never.
    /// </summary>
    internal Func<ResilienceContext, bool>? CountsCancelled { get; set; }

    /// <summary>
    /// The key of a call: calls with equal keys share a breaker, which is made when the key comes first. Null as a key: no
    /// breaker for that call. Default: none, one breaker for all.
    /// </summary>
    public Func<ResilienceContext, string?>? KeyBuilder { get; set; }

    /// <summary>
    /// How many keys have breakers at most. When there are more, breakers are forgotten that are closed and had no call within
    /// the window; if there are none, the new key shares one breaker with all others that come too late. At least 1. Default: 1024.
    /// </summary>
    public int MaxKeys { get; set; } = 1024;

    /// <summary>
    /// Finds the breaker of a call among those that the application keeps, for instance that of the endpoint which the call
    /// goes to. Null as a breaker: none for that call. Default: none.
    /// </summary>
    public Func<ResilienceContext, Http.CircuitBreaker?>? BreakerOf { get; set; }

    /// <summary>
    /// Told of each change of the breakers that the strategy makes, as <see cref="Http.CircuitBreaker.Changed"/> is. Not used with
    /// <see cref="BreakerOf"/>. Default: none.
    /// </summary>
    public EventHandler<CircuitChange>? Changed { get; set; }

    /// <summary>The seed of the breakers that the strategy makes. Default: another for each.</summary>
    public int? Seed { get; set; }

    /// <summary>A sentence for each option that is wrong; none when they can work.</summary>
    /// <param name="key">What to call them.</param>
    internal IEnumerable<string> Problems(string key)
    {
        string?[] problems =
        [
            .. CircuitBreaker is null ? [$"{key}:{nameof(CircuitBreaker)} is null."] : CircuitBreaker.Problems(key),
            IsFailed is null ? $"{key}:{nameof(IsFailed)} is null; leave it out to count every exception." : null,
            MaxKeys < 1 ? $"{key}:{nameof(MaxKeys)} is {MaxKeys}; at least 1 is allowed." : null,
            BreakerOf is not null && KeyBuilder is not null
                ? $"{key} has both {nameof(BreakerOf)} and {nameof(KeyBuilder)}; either the application keeps the breakers or the strategy does."
                : null,
        ];
        return problems.OfType<string>();
    }
}
