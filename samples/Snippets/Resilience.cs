using System.Net;
using Polly;
using ServiceMesh.Http;

namespace Snippets;

public static class Resilience
{
    #region strategy
    /// <summary>
    /// A pipeline with one circuit breaker for each host. It works with any client and with any other strategy around it.
    /// </summary>
    public static ResiliencePipeline<HttpResponseMessage> BreakByHost(ResiliencePropertyKey<string> host) =>
        new ResiliencePipelineBuilder<HttpResponseMessage>()
            .AddFastCircuitBreaker(new()
            {
                KeyBuilder = context => context.Properties.GetValue(host, ""),
                IsFailed = (outcome, _) => outcome is not { Exception: null, Result.StatusCode: < HttpStatusCode.InternalServerError },
                CircuitBreaker = { FailureRateThreshold = 0.3, CircuitOpenWindow = TimeSpan.FromSeconds(5) },
            })
            .Build();
    #endregion

    #region bare
    /// <summary>A circuit breaker without a pipeline, around any code that can fail.</summary>
    public static async Task<string> ReadAsync(
        CircuitBreaker breaker, Func<CancellationToken, Task<string>> read, CancellationToken cancellationToken)
    {
        if (!breaker.TryEnter(out var pass))
        {
            throw breaker.Refusal();
        }

        try
        {
            var text = await read(cancellationToken);
            breaker.Report(pass, failed: false);
            return text;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            breaker.Report(pass, failed: true);
            throw;
        }
    }
    #endregion

    #region endpoints
    /// <summary>Takes an endpoint out of use and describes the state of all endpoints.</summary>
    public static string[] TakeOut(ServiceEndpoints endpoints, string service, int port)
    {
        foreach (var endpoint in endpoints.Of(service).Where(e => e.Address.Port == port))
        {
            endpoint.Breaker.Open(TimeSpan.FromMinutes(10));
        }

        return
        [
            .. endpoints.Of(service)
                .Select(e => $"{e}: {e.State}, circuit {e.Breaker.State}, ejected {e.IsEjected}, {e.InFlight} in flight"),
        ];
    }
    #endregion
}
