using System.Runtime.CompilerServices;
using Polly;
using Polly.Timeout;

namespace ServiceMesh.Http;

/// <summary>
/// Chooses the endpoint of an attempt, counts the attempt as in flight there until its answer has been read, and makes what
/// the layers below threw an answer.
/// </summary>
internal sealed class Select<TReply>(ClientMetrics metrics) : ResilienceStrategy<Answer<TReply>>
    where TReply : class
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected override async ValueTask<Outcome<Answer<TReply>>> ExecuteCore<TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<Answer<TReply>>>> callback, ResilienceContext context, TState state)
    {
        var call = Call<TReply>.Of(context);
        if (!call.TrySelect(context))
        {
            call.IsExhausted = true;
            metrics.Refused(call.Service, "no-endpoint");
            return Outcome.FromResult(call.NobodyCanTake());
        }

        var endpoint = Call<TReply>.EndpointOf(context);
        metrics.Picked(call.Service, endpoint);
        var outcome = await callback(context, state).ConfigureAwait(context.ContinueOnCapturedContext);
        if (outcome.Exception is TimeoutRejectedException timeout)
        {
            endpoint.RecordFailure();
            outcome = Outcome.FromResult(new Answer<TReply>(
                null, Verdict.Broken, new PhaseTimeoutException(TimeoutPhase.Attempt, timeout.Timeout, call.Describe(endpoint), timeout)));
        }

        else if (outcome.Exception is CircuitOpenException open)
        {
            // It opened between the choice and the attempt.
            metrics.Refused(call.Service, "circuit-open");
            outcome = Outcome.FromResult(new Answer<TReply>(null, new(AttemptResult.NotSent), open));
        }

        call.MayHaveRun |= outcome.Exception is null && outcome.Result.Verdict.Result == AttemptResult.Broken;
        call.End(endpoint, outcome);
        return outcome;
    }
}
