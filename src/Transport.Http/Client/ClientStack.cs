using System.Runtime.CompilerServices;
using Polly;
using Polly.Timeout;

namespace ServiceMesh.Http;

/// <summary>
/// All that happens to a request between its caller and the network, in the order in which it happens: one pipeline for the
/// requests of the bus and for those of ordinary HttpClients. Thread-safe.
/// </summary>
/// <typeparam name="TReply">What callers get: a reply of the bus, or an HTTP response.</typeparam>
internal sealed class ClientStack<TReply>
    where TReply : class
{
    private readonly RetryBudget _budget;
    private readonly RetryRules<TReply> _rules;
    private readonly ResiliencePipeline<Answer<TReply>> _layers;
    private readonly ResiliencePipeline<Answer<TReply>> _hedgedLayers;

    public ClientStack(HttpLimitSettings limits, RetryBudget budget, TimeProvider clock, Random random, ClientMetrics metrics)
    {
        _budget = budget;
        _rules = new(budget, random, metrics);
        var limit = new ConcurrencyLimit<TReply>(limits.Concurrency, metrics);
        _layers = Stack(hedged: false);
        _hedgedLayers = Stack(hedged: true);

        ResiliencePipeline<Answer<TReply>> Stack(bool hedged)
        {
            var layers = new ResiliencePipelineBuilder<Answer<TReply>> { TimeProvider = clock };

            // 0. Limit. Before everything, so that what is too much costs nothing.
            layers.AddStrategy(_ => limit);

            // 1. Total. It bounds everything below, so that no number of attempts outlives the caller. Requests of the bus
            //    bring a token that fires at their deadline, and need no other timer.
            layers.AddTimeout(new TimeoutStrategyOptions { Name = "Total", TimeoutGenerator = static c => new(Call<TReply>.Of(c.Context).TotalLimit) });

            // 2. Retry. Above selection, so that another endpoint can be chosen; it takes from the budget.
            layers.AddRetry(_rules.ToOptions());

            // 2b. Hedge, for those who ask for it. Below retry, so that both draw on the same attempts and the same budget.
            if (hedged)
            {
                layers.AddHedging(_rules.ToHedgingOptions());
            }

            // 3. Select. Only endpoints that are healthy, not ejected, not open and not full. Whoever has no addresses yet waits for
            //    them here, within the limit and the total.
            layers.AddStrategy(_ => new Select<TReply>(clock, metrics));

            // 4. The endpoint's breaker. Below selection, which needs to know that it is open, and above the attempt's
            //    timeout, so that timeouts count as failures.
            layers.AddFastCircuitBreaker(new()
            {
                BreakerOf = static context => Call<TReply>.EndpointOf(context).Breaker,
                IsFailed = static (outcome, _) => outcome.Exception is not null ? true : outcome.Result.Verdict.SpeaksAgainstEndpoint,
            });

            // 5. Attempt. It bounds one attempt, so that there is time for another.
            layers.AddTimeout(new TimeoutStrategyOptions { Name = "Attempt", TimeoutGenerator = static c => new(Call<TReply>.Of(c.Context).AttemptLimit) });

            // 6. Send: below.
            return layers.Build();
        }
    }

    /// <summary>Sends a request through all layers.</summary>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Answer<TReply>> SendAsync(Call<TReply> call, CancellationToken cancellationToken)
    {
        _budget.Count();
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: false, cancellationToken);
        try
        {
            call.Enter(context);
            var layers = call.IsHedged ? _hedgedLayers : _layers;
            var outcome = await layers.ExecuteOutcomeAsync(static (context, call) => SendAttemptAsync(context, call), context, call).ConfigureAwait(false);
            if (outcome.Exception is TimeoutRejectedException timeout)
            {
                return new(null, Verdict.Broken, new PhaseTimeoutException(TimeoutPhase.Total, timeout.Timeout, call.LastEndpoint, timeout, NothingSentException.UnderWayIn(timeout)));
            }

            outcome.ThrowIfException();
            return outcome.Result;
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    // 6. Send. To this node in process, to every other over HTTP; only the call knows how.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<Outcome<Answer<TReply>>> SendAttemptAsync(ResilienceContext context, Call<TReply> call)
    {
        try
        {
            return Outcome.FromResult(await call.SendAsync(Call<TReply>.EndpointOf(context), context.CancellationToken).ConfigureAwait(false));
        }
        catch (OperationCanceledException cancelled)
        {
            return Outcome.FromException<Answer<TReply>>(cancelled);
        }
    }
}
