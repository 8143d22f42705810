using System.Runtime.CompilerServices;
using Polly;
using Polly.Timeout;

namespace ServiceMesh.Http;

/// <summary>
/// Chooses the endpoint of an attempt, counts the attempt as in flight there until its answer has been read, and makes what
/// the layers below threw an answer.
/// </summary>
internal sealed class Select<TReply>(TimeProvider clock, ClientMetrics metrics) : ResilienceStrategy<Answer<TReply>>
    where TReply : class
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected override async ValueTask<Outcome<Answer<TReply>>> ExecuteCore<TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<Answer<TReply>>>> callback, ResilienceContext context, TState state)
    {
        var call = Call<TReply>.Of(context);
        var ready = call.ReadyAsync(context.CancellationToken);
        if (!ready.IsCompletedSuccessfully)
        {
            try
            {
                await ready.ConfigureAwait(context.ContinueOnCapturedContext);
            }
            catch (OperationCanceledException cancelled)
            {
                return Outcome.FromException<Answer<TReply>>(cancelled);
            }
        }

        if (!call.TrySelect(context))
        {
            metrics.Refused(call.Service, "no-endpoint");
            return Outcome.FromResult(call.NobodyCanTake() with { FoundNobody = true });
        }

        var endpoint = Call<TReply>.EndpointOf(context);
        var began = clock.GetTimestamp();
        call.BeganAt = began;
        if (call.IsHedged)
        {
            call.CountRunning(1);
        }

        Outcome<Answer<TReply>> outcome;
        try
        {
            metrics.Picked(call.Service, endpoint);
            outcome = await callback(context, state).ConfigureAwait(context.ContinueOnCapturedContext);
        }
#pragma warning disable CA1031 // Who listens to telemetry may throw anything: its caller gets it, and the attempt is over all the same.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            outcome = Outcome.FromException<Answer<TReply>>(failure);
        }

        if (call.IsHedged)
        {
            call.CountRunning(-1);
        }

        if (outcome.Exception is TimeoutRejectedException timeout)
        {
            endpoint.RecordFailure();
            var unsent = NothingSentException.UnderWayIn(timeout);
            outcome = Outcome.FromResult(new Answer<TReply>(
                null,
                unsent is null ? Verdict.Broken : Verdict.NotSent,
                new PhaseTimeoutException(TimeoutPhase.Attempt, timeout.Timeout, call.Describe(endpoint), timeout, unsent)));
        }
        else if (outcome.Exception is CircuitOpenException open)
        {
            // It opened between the choice and the attempt.
            metrics.Refused(call.Service, "circuit-open");
            outcome = Outcome.FromResult(new Answer<TReply>(null, new(AttemptResult.NotSent), open));
        }
        else if (outcome.Exception is OperationCanceledException && call.HasAnswer)
        {
            // Another was quicker. That is no failure, but an endpoint that hangs must not look as quick as before.
            endpoint.RecordSlow(clock.GetElapsedTime(began));
        }
        else if (outcome.Exception is OperationCanceledException && call.HasHung(clock))
        {
            endpoint.RecordFailure();
        }

        // Of one that was cancelled after it had begun nobody knows either. Others may be under way: true stays true.
        if (outcome.Exception is { } thrown ? NothingSentException.UnderWayIn(thrown) is null : outcome.Result.Verdict.Result == AttemptResult.Broken)
        {
            call.MayHaveRun = true;
        }

        if (outcome.Exception is null && outcome.Result.Failure is not null)
        {
            outcome = Outcome.FromResult(outcome.Result with { FailedAt = endpoint });
        }

        call.End(endpoint, outcome);
        return outcome;
    }
}
