using System.Diagnostics.CodeAnalysis;
using ServiceMesh.Http;

namespace Polly;

/// <summary>Adds the circuit breaker to Polly pipelines.</summary>
public static class CircuitBreakerPipelineExtensions
{
    /// <summary>
    /// Adds a circuit breaker that takes no lock. It uses the builder's clock. A refused call ends with a
    /// <see cref="CircuitOpenException"/>, which is a <see cref="CircuitBreaker.BrokenCircuitException"/> of Polly.
    /// </summary>
    /// <typeparam name="TResult">The result of the pipeline's calls.</typeparam>
    /// <param name="builder">The pipeline.</param>
    /// <param name="options">Read once.</param>
    /// <exception cref="ArgumentException">An option is not valid; the message names it.</exception>
    /// <example>
    /// <code source="samples/Snippets/Resilience.cs" region="strategy" />
    /// </example>
    [UnconditionalSuppressMessage(
        "Trimming", "IL2026",
        Justification = "Polly validates options by reflection and finds no attributes here: the strategy validates them itself.")]
    public static ResiliencePipelineBuilder<TResult> AddFastCircuitBreaker<TResult>(
        this ResiliencePipelineBuilder<TResult> builder, CircuitBreakerStrategyOptions<TResult> options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        return builder.AddStrategy(_ => new CircuitBreakerStrategy<TResult>(options, builder.TimeProvider), options);
    }
}
