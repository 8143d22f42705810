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
    private readonly ConcurrencyLimit _limit;
    private readonly RetryBudget _budget;
    private readonly RetryRules<TReply> _rules;
    private readonly TimeProvider _clock;
    private readonly ClientMetrics _metrics;
    private readonly ResiliencePipeline<Answer<TReply>>?[] _stacks = new ResiliencePipeline<Answer<TReply>>?[(int)Optional.All + 1];

    public ClientStack(HttpLimitOptions limits, RetryBudget budget, TimeProvider clock, Random random, ClientMetrics metrics)
    {
        _limit = new(limits.Concurrency);
        _budget = budget;
        _rules = new(budget, random, metrics);
        _clock = clock;
        _metrics = metrics;
    }

    /// <summary>Layers that a call may do without. Each costs a step on the way there and on the way back.</summary>
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
    public async ValueTask<Answer<TReply>> SendAsync(Call<TReply> call, CancellationToken cancellationToken)
    {
        // 0. Limit. Before everything, so that what is too much costs nothing.
        if (!_limit.TryEnter())
        {
            _metrics.Refused(call.Service, "client-limit");
            return call.TooMany(_limit.Most);
        }

        _budget.Count(); // only now: what is refused must not pay for retries of the rest
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: false, cancellationToken);
        try
        {
            call.Enter(context);
            var outcome = await LayersFor(call)
                .ExecuteOutcomeAsync(static (context, call) => call.BeginAsync(Call<TReply>.EndpointOf(context), context.CancellationToken), context, call)
                .ConfigureAwait(false);
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
            _limit.Leave();
        }
    }

    private ResiliencePipeline<Answer<TReply>> LayersFor(Call<TReply> call)
    {
        var with = (call.TotalLimit == Timeout.InfiniteTimeSpan ? Optional.None : Optional.Total)
            | (call.IsHedged ? Optional.Hedge : Optional.None)
            | (call.AttemptLimit == Timeout.InfiniteTimeSpan ? Optional.None : Optional.Attempt);

        // When two threads make the same one, either will do: what the layers remember is in the endpoints and in the budget.
        return Volatile.Read(ref _stacks[(int)with]) ?? (_stacks[(int)with] = Stack(with));
    }

    private ResiliencePipeline<Answer<TReply>> Stack(Optional with)
    {
        var layers = new ResiliencePipelineBuilder<Answer<TReply>> { TimeProvider = _clock };

        // 1. Total. It bounds everything below, so that no number of attempts outlives the caller. Requests of the bus
        //    bring a token that fires at their deadline, and need no other timer.
        if (with.HasFlag(Optional.Total))
        {
            layers.AddTimeout(new TimeoutStrategyOptions { Name = "Total", TimeoutGenerator = static c => new(Call<TReply>.Of(c.Context).TotalLimit) });
        }

        // 2. Retry. Above selection, so that another endpoint can be chosen; it takes from the budget.
        layers.AddRetry(_rules.ToOptions());

        // 2b. Hedge, for those who ask for it. Below retry, so that both draw on the same attempts and the same budget.
        if (with.HasFlag(Optional.Hedge))
        {
            layers.AddHedging(_rules.ToHedgingOptions());
        }

        // 3. Select. Only endpoints that are healthy, not ejected, not open and not full. Whoever has no addresses yet waits for
        //    them here, within the limit and the total.
        layers.AddStrategy(_ => new Select<TReply>(_clock, _metrics));

        // 4. The endpoint's breaker. Below selection, which needs to know that it is open, and above the attempt's
        //    timeout, so that timeouts count as failures: also that of a caller whose request has no other.
        layers.AddFastCircuitBreaker(new()
        {
            BreakerOf = static context => Call<TReply>.EndpointOf(context).Breaker,
            IsFailed = static (outcome, _) => outcome.Exception is not null ? true : outcome.Result.Verdict.SpeaksAgainstEndpoint,
            CountsCancelled = context => Call<TReply>.Of(context).HasHung(_clock),
        });

        // 5. Attempt. It bounds one attempt, so that there is time for another. Who may have one attempt only has all the time.
        if (with.HasFlag(Optional.Attempt))
        {
            layers.AddTimeout(new TimeoutStrategyOptions { Name = "Attempt", TimeoutGenerator = static c => new(Call<TReply>.Of(c.Context).AttemptLimit) });
        }

        // 6. Send. To this node in process, to every other over HTTP; only the call knows how.
        return layers.Build();
    }
}
