using System.Diagnostics.CodeAnalysis;
using ServiceMesh.Http;

namespace Polly;

/// <summary>Adds the circuit breaker to pipelines of Polly.</summary>
public static class CircuitBreakerPipelineExtensions
{
    /// <summary>
    /// Adds a circuit breaker that takes no lock. Its clock is the builder's. What it refuses ends with a
    /// <see cref="CircuitOpenException"/>, which is a <see cref="CircuitBreaker.BrokenCircuitException"/> of Polly too.
    /// </summary>
    /// <typeparam name="TResult">What the pipeline's calls return.</typeparam>
    /// <param name="builder">The pipeline.</param>
    /// <param name="options">Read once.</param>
    /// <exception cref="ArgumentException">The options cannot work; the message says why.</exception>
    /// <example>
    /// <code source="samples/Snippets/Resilience.cs" region="strategy" />
    /// </example>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Polly's check of options by reflection finds no attributes in these: the strategy checks them itself.")]
    public static ResiliencePipelineBuilder<TResult> AddFastCircuitBreaker<TResult>(
        this ResiliencePipelineBuilder<TResult> builder, CircuitBreakerStrategyOptions<TResult> options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        return builder.AddStrategy(_ => new CircuitBreakerStrategy<TResult>(options, builder.TimeProvider), options);
    }
}
