namespace ServiceMesh.Http;

/// <summary>Gives endpoints their circuit breaker.</summary>
public static class EndpointCircuitBreakerExtensions
{
    extension(Endpoint endpoint)
    {
        /// <summary>
        /// The circuit breaker of the endpoint: read its state, or open and close it by hand. An endpoint that the application created
        /// itself receives a breaker with default settings when this property is first read.
        /// </summary>
        public CircuitBreaker Breaker
        {
            get
            {
                ArgumentNullException.ThrowIfNull(endpoint);
                return EndpointProtection.Of(endpoint).Breaker;
            }
        }
    }
}
