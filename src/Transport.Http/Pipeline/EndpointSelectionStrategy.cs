using System.Runtime.CompilerServices;
using Polly;
using Polly.Timeout;

namespace ServiceMesh.Http;

/// <summary>
/// Chooses the endpoint of an attempt, asks the endpoint's circuit breaker, and counts the attempt as in flight until its response has
/// been read. When the attempt ends, its outcome is completed and applied here.
/// </summary>
internal sealed class EndpointSelectionStrategy<TReply>(TimeProvider clock, ClientMetrics metrics)
    : ResilienceStrategy<AttemptResult<TReply>>
    where TReply : class
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    protected override async ValueTask<Outcome<AttemptResult<TReply>>> ExecuteCore<TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<AttemptResult<TReply>>>> callback, ResilienceContext context, TState state)
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
                return Outcome.FromException<AttemptResult<TReply>>(cancelled);
            }
        }

        if (Select(call) is not { } endpoint)
        {
            metrics.Refused(call.Service, "no-endpoint");
            var none = call.NoEndpoint();
            return Outcome.FromResult(none with { Outcome = none.Outcome.AsNoEndpoint() });
        }

        Call<TReply>.SetEndpoint(context, endpoint);
        var breaker = endpoint.Breaker;
        var began = clock.GetTimestamp();
        call.Hedge?.Begin();
        CircuitPass? pass = null;
        Outcome<AttemptResult<TReply>> end;
        try
        {
            metrics.Picked(call.Service, endpoint);
            if (breaker.TryEnter(out var admitted))
            {
                pass = admitted;
                end = await callback(context, state).ConfigureAwait(context.ContinueOnCapturedContext);
            }
            else
            {
                // The circuit opened between the choice and the attempt.
                metrics.Refused(call.Service, "circuit-open");
                end = Outcome.FromResult(new AttemptResult<TReply>(null, AttemptOutcome.NotMade, breaker.Refusal()));
            }
        }
#pragma warning disable CA1031 // A listener of telemetry may throw anything: the caller receives it, and the attempt has ended.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            end = Outcome.FromException<AttemptResult<TReply>>(failure);
        }

        call.Hedge?.End();
        var outcome = Classify(call, end, clock.GetElapsedTime(began));
        outcome.ApplyTo(endpoint, pass);
        call.Attempts.End(outcome);
        end = Complete(call, endpoint, end, outcome);
        call.End(endpoint, end);
        return end;
    }

    private static Endpoint? Select(Call<TReply> call)
    {
        // Endpoints that are full or draining since they were chosen: nothing was sent there, so only this choice avoids them.
        Endpoint[] missed = [];
        while (true)
        {
            var tried = call.Attempts.Tried;
            var context = new PickContext
            {
                Key = call.HashKey,
                Tried = missed.Length == 0 ? tried : [.. tried, .. missed],
                IsLastAttempt = call.IsLastAttempt,
            };
            if (call.Pick(context) is not { } endpoint)
            {
                return null;
            }

            var isTried = tried.Contains(endpoint);
            if ((isTried && !call.Attempts.MayReturn) || missed.Contains(endpoint))
            {
                return null;
            }

            if (!endpoint.TryBegin(limited: true))
            {
                missed = [.. missed, endpoint];
            }
            else if (isTried || call.Attempts.TryAdd(tried, endpoint))
            {
                return endpoint;
            }
            else
            {
                // A hedge has chosen meanwhile, perhaps the same endpoint: choose again, knowing that.
                endpoint.End();
            }
        }
    }

    // An attempt with an answer was classified where the answer was read. The others end as exceptions, and here their cause is known.
    private static AttemptOutcome Classify(Call<TReply> call, Outcome<AttemptResult<TReply>> end, TimeSpan latency) => end.Exception switch
    {
        null => end.Result.Outcome,
        TimeoutRejectedException timeout => AttemptOutcome.OfFailure(wasSent: NothingSentException.PhaseIn(timeout) is null),
        OperationCanceledException cancelled => AttemptOutcome.OfCancellation(
            wasSent: NothingSentException.PhaseIn(cancelled) is null,
            isSuperseded: call.Hedge is { HasAnswer: true }, hasHung: call.HasHung(latency), latency),
        _ => AttemptOutcome.Unknown,
    };

    private static Outcome<AttemptResult<TReply>> Complete(
        Call<TReply> call, Endpoint endpoint, Outcome<AttemptResult<TReply>> end, AttemptOutcome outcome)
    {
        if (end.Exception is TimeoutRejectedException timeout)
        {
            var failure = new PhaseTimeoutException(
                TimeoutPhase.Attempt, timeout.Timeout, call.Describe(endpoint), timeout, NothingSentException.PhaseIn(timeout));
            return Outcome.FromResult(new AttemptResult<TReply>(null, outcome, failure) { FailedAt = endpoint });
        }

        return end is { Exception: null, Result.Failure: not null } ? Outcome.FromResult(end.Result with { FailedAt = endpoint }) : end;
    }
}
