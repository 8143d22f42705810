using System.Runtime.CompilerServices;
using Polly;
using Polly.Timeout;

namespace ServiceMesh.Http;

/// <summary>
/// Everything that happens to a request between its caller and the network, in the order in which it happens: one pipeline for requests
/// of the bus and for those of HttpClients. Thread-safe.
/// </summary>
/// <typeparam name="TReply">What callers receive: a reply of the bus, or an HTTP response.</typeparam>
internal sealed class ClientPipeline<TReply>
    where TReply : class
{
    private readonly ConcurrencyLimit _limit;
    private readonly RetryBudgets _budgets;
    private readonly RetryRules<TReply> _rules;
    private readonly TimeProvider _clock;
    private readonly ClientMetrics _metrics;
    private readonly ResiliencePipeline<AttemptResult<TReply>>?[] _pipelines =
        new ResiliencePipeline<AttemptResult<TReply>>?[(int)Optional.All + 1];

    public ClientPipeline(HttpLimitOptions limits, RetryBudgets budgets, TimeProvider clock, Random random, ClientMetrics metrics)
    {
        _limit = new(limits.Concurrency);
        _budgets = budgets;
        _rules = new(budgets, random, metrics);
        _clock = clock;
        _metrics = metrics;
    }

    /// <summary>Layers that a call may not need. Each layer costs a step down and a step back.</summary>
    [Flags]
    private enum Optional
    {
        None = 0,
        Total = 1,
        Hedge = 2,
        Attempt = 4,
        All = Total | Hedge | Attempt,
    }

    /// <summary>Sends a request through all layers.</summary>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<AttemptResult<TReply>> SendAsync(Call<TReply> call, CancellationToken cancellationToken)
    {
        // 0. Limit. Before everything else, so that refusing a request costs nothing.
        if (!_limit.TryEnter())
        {
            _metrics.Refused(call.Service, "client-limit");
            return call.TooMany(_limit.Max);
        }

        _budgets.Of(call.Service).Count(); // only now: a refused request must not pay for retries of the others
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: false, cancellationToken);
        try
        {
            call.Enter(context);
            var end = await LayersFor(call)
                .ExecuteOutcomeAsync(
                    static (context, call) => call.BeginAsync(Call<TReply>.EndpointOf(context), context.CancellationToken), context, call)
                .ConfigureAwait(false);
            if (end.Exception is TimeoutRejectedException timeout)
            {
                var failure = new PhaseTimeoutException(
                    TimeoutPhase.Total, timeout.Timeout, call.NameOf(call.Attempts.Last), timeout, NothingSentException.PhaseIn(timeout));
                return new(null, AttemptOutcome.Unknown, failure);
            }

            end.ThrowIfException();
            return end.Result;
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
            _limit.Leave();
        }
    }

    private ResiliencePipeline<AttemptResult<TReply>> LayersFor(Call<TReply> call)
    {
        var with = (call.TotalLimit == Timeout.InfiniteTimeSpan ? Optional.None : Optional.Total)
            | (call.IsHedged ? Optional.Hedge : Optional.None)
            | (call.AttemptLimit == Timeout.InfiniteTimeSpan ? Optional.None : Optional.Attempt);

        // If two threads build the same pipeline, either one is correct: the state of the layers is in the endpoints and in the budget.
        return Volatile.Read(ref _pipelines[(int)with]) ?? (_pipelines[(int)with] = Build(with));
    }

    private ResiliencePipeline<AttemptResult<TReply>> Build(Optional with)
    {
        var layers = new ResiliencePipelineBuilder<AttemptResult<TReply>> { TimeProvider = _clock };

        // 1. Total timeout. It bounds everything below, so that no number of attempts outlives the caller. Requests of the bus bring a
        //    token that fires at their deadline and need no other timer.
        if (with.HasFlag(Optional.Total))
        {
            layers.AddTimeout(new TimeoutStrategyOptions
            {
                Name = "Total",
                TimeoutGenerator = static c => new(Call<TReply>.Of(c.Context).TotalLimit),
            });
        }

        // 2. Retry. Above selection, so that another endpoint can be chosen. It takes tokens from the retry budget.
        layers.AddRetry(_rules.ToRetryOptions());

        // 2b. Hedging, for requests that ask for it. Below retry, so that both share the number of attempts and the budget.
        if (with.HasFlag(Optional.Hedge))
        {
            layers.AddHedging(_rules.ToHedgingOptions());
        }

        // 3. Selection: an endpoint that is healthy, not ejected, not full, and whose circuit is not open. A request whose service has no
        //    addresses yet waits here, within the limit and the total timeout.
        // 4. The circuit breaker of that endpoint, in the same strategy. It is below selection, which must know that a circuit is open,
        //    and above the attempt timeout, so that timeouts count as failures. The outcome of the attempt is applied here, once.
        layers.AddStrategy(_ => new EndpointSelectionStrategy<TReply>(_clock, _metrics));

        // 5. Attempt timeout. It bounds one attempt, so that there is time for another. A request with one attempt needs none.
        if (with.HasFlag(Optional.Attempt))
        {
            layers.AddTimeout(new TimeoutStrategyOptions
            {
                Name = "Attempt",
                TimeoutGenerator = static c => new(Call<TReply>.Of(c.Context).AttemptLimit),
            });
        }

        // 6. Send. In process to this node, over HTTP to all others; only the call knows how.
        return layers.Build();
    }
}
