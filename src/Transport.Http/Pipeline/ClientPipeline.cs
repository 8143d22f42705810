using System.Runtime.CompilerServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>
/// Everything that happens to a request between its caller and the network, in the order in which it happens: one pipeline for requests
/// of the bus and for those of HttpClients. Thread-safe.
/// </summary>
/// <remarks>
/// Most requests need one attempt, which is run here by hand. Polly's layers are entered when another attempt may follow, and for
/// requests that are hedged.
/// </remarks>
/// <typeparam name="TReply">What callers receive: a reply of the bus, or an HTTP response.</typeparam>
internal sealed class ClientPipeline<TReply>
    where TReply : class
{
    private readonly ConcurrencyLimit _limit;
    private readonly RetryBudgets _budgets;
    private readonly RetryRules<TReply> _rules;
    private readonly ClientMetrics _metrics;
    private readonly TimedScopes _scopes;
    private readonly AttemptRunner<TReply> _runner;
    private readonly Lazy<ResiliencePipeline<AttemptResult<TReply>>> _retries;
    private readonly Lazy<ResiliencePipeline<AttemptResult<TReply>>> _hedges;

    /// <param name="limits">The limits of the client.</param>
    /// <param name="budgets">The retry budgets.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="random">The source of randomness; must be thread-safe.</param>
    /// <param name="metrics">The counters of the client.</param>
    /// <param name="stopping">Fires when the client stops, and ends every request.</param>
    public ClientPipeline(
        HttpLimitOptions limits, RetryBudgets budgets, TimeProvider clock, Random random, ClientMetrics metrics,
        CancellationToken stopping = default)
    {
        _limit = new(limits.Concurrency);
        _budgets = budgets;
        _rules = new(budgets, random, metrics);
        _metrics = metrics;
        _scopes = new(clock, stopping);
        _runner = new(_scopes, clock, metrics);
        _retries = new(() => Build(clock, hedges: false));
        _hedges = new(() => Build(clock, hedges: true));
    }

    /// <summary>The tokens of requests and attempts, for others that bound a wait.</summary>
    public TimedScopes Scopes => _scopes;

    /// <summary>Sends a request through all layers.</summary>
    /// <exception cref="OperationCanceledException">The token fired, or the client stopped.</exception>
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

        // 1. Total timeout. It bounds everything below, so that no number of attempts outlives the caller. Requests of the bus bring a
        //    token that fires at their deadline, and have no other limit.
        var scope = call.TotalLimit == Timeout.InfiniteTimeSpan ? null : _scopes.Begin(call.TotalLimit, cancellationToken);
        var token = scope?.Token ?? cancellationToken;
        try
        {
            var end = default(Outcome<AttemptResult<TReply>>);
            var next = NextStep.Retry;
            if (!call.IsHedged)
            {
                end = await _runner.RunAsync(call, token).ConfigureAwait(false);
                next = RetryRules<TReply>.AfterFirst(call, end);
            }

            if (next is NextStep.Move or NextStep.Retry)
            {
                end = await SendAgainAsync(call, end, next, token).ConfigureAwait(false);
            }

            var hasTimedOut = scope is { HasTimedOut: true } && !cancellationToken.IsCancellationRequested;
            if (hasTimedOut && end.Exception is OperationCanceledException timeout)
            {
                var failure = new PhaseTimeoutException(
                    TimeoutPhase.Total, call.TotalLimit, call.NameOf(call.Attempts.Last), timeout, NothingSentException.PhaseIn(timeout));
                return new(null, AttemptOutcome.Unknown, failure);
            }

            end.ThrowIfException();
            return end.Result;
        }
        finally
        {
            scope?.End(call.ReleasesTokens);
            _limit.Leave();
        }
    }

    /// <summary>Goes on after a first attempt, or begins a hedged request.</summary>
    private async ValueTask<Outcome<AttemptResult<TReply>>> SendAgainAsync(
        Call<TReply> call, Outcome<AttemptResult<TReply>> first, NextStep next, CancellationToken cancellationToken)
    {
        // A client that stops ends the pauses too.
        var scope = _scopes.Begin(Timeout.InfiniteTimeSpan, cancellationToken);
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: false, scope.Token);
        try
        {
            call.Enter(context, first, next);
            var layers = (call.Hedge is null ? _retries : _hedges).Value;
            return await layers.ExecuteOutcomeAsync(
                static (context, s) => s.Call.TryTakeFirst(out var end) ? new(end) : s.Runner.RunAsync(s.Call, context.CancellationToken),
                context, (Call: call, Runner: _runner)).ConfigureAwait(false);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
            scope.End(call.ReleasesTokens);
        }
    }

    private ResiliencePipeline<AttemptResult<TReply>> Build(TimeProvider clock, bool hedges)
    {
        // 2. Retry. Above selection, so that another endpoint can be chosen. It takes tokens from the retry budget.
        var layers = new ResiliencePipelineBuilder<AttemptResult<TReply>> { TimeProvider = clock }.AddRetry(_rules.ToRetryOptions());

        // 2b. Hedging, for requests that ask for it. Below retry, so that both share the number of attempts and the budget.
        // 3. to 6. are in the runner, which runs each attempt.
        return (hedges ? layers.AddHedging(_rules.ToHedgingOptions()) : layers).Build();
    }
}
