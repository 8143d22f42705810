using System.Runtime.CompilerServices;
using Polly;

namespace ServiceMesh.Http;

/// <summary>
/// Runs one attempt: chooses its endpoint, asks the endpoint's circuit breaker, counts the attempt as in flight until its response has
/// been read, bounds it by its timeout, and sends it. When the attempt ends, its outcome is completed and applied here. Thread-safe.
/// </summary>
internal sealed class AttemptRunner<TReply>(TimedScopes scopes, TimeProvider clock, ClientMetrics metrics)
    where TReply : class
{
    /// <summary>Runs an attempt. A cancellation of the token is returned, not thrown.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Outcome<AttemptResult<TReply>>> RunAsync(Call<TReply> call, CancellationToken cancellationToken)
    {
        // 3. Selection: an endpoint that is healthy, not ejected, not full, and whose circuit is not open. A request whose service has no
        //    addresses yet waits here, within the limit and the total timeout.
        var ready = call.ReadyAsync(cancellationToken);
        if (!ready.IsCompletedSuccessfully)
        {
            try
            {
                await ready.ConfigureAwait(false);
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

        // 4. The circuit breaker of that endpoint. It is below selection, which must know that a circuit is open, and above the attempt
        //    timeout, so that timeouts count as failures.
        var breaker = endpoint.Breaker;
        var began = clock.GetTimestamp();
        call.Hedge?.Begin();
        CircuitPass? pass = null;
        TimedScope? scope = null;
        var limit = Timeout.InfiniteTimeSpan;
        Outcome<AttemptResult<TReply>> end;
        try
        {
            metrics.Picked(call.Service, endpoint);
            if (breaker.TryEnter(out var admitted))
            {
                // 5. Attempt timeout. It bounds one attempt, so that there is time for another. A request with one attempt needs none.
                // 6. Send. In process to this node, over HTTP to all others; only the call knows how.
                pass = admitted;
                limit = call.AttemptLimit;
                var isBoundedAbove = limit == Timeout.InfiniteTimeSpan && call.TotalLimit != Timeout.InfiniteTimeSpan;
                scope = isBoundedAbove ? null : scopes.Begin(limit, cancellationToken); // without a limit it ends when the client stops
                end = await call.BeginAsync(endpoint, scope?.Token ?? cancellationToken).ConfigureAwait(false);
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

        var hasTimedOut = scope is { HasTimedOut: true } && !cancellationToken.IsCancellationRequested;
        scope?.End(call.ReleasesTokens);
        call.Hedge?.End();
        var outcome = Classify(call, end, hasTimedOut, clock.GetElapsedTime(began));
        outcome.ApplyTo(endpoint, pass);
        call.Attempts.End(outcome);
        end = Complete(call, endpoint, end, hasTimedOut ? limit : null, outcome);
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
    private static AttemptOutcome Classify(
        Call<TReply> call, Outcome<AttemptResult<TReply>> end, bool hasTimedOut, TimeSpan latency) => end.Exception switch
        {
            null => end.Result.Outcome,
            OperationCanceledException timeout when hasTimedOut =>
                AttemptOutcome.OfFailure(wasSent: NothingSentException.PhaseIn(timeout) is null),
            OperationCanceledException cancelled => AttemptOutcome.OfCancellation(
                wasSent: NothingSentException.PhaseIn(cancelled) is null,
                isSuperseded: call.Hedge is { HasAnswer: true }, hasHung: call.HasHung(latency), latency),
            _ => AttemptOutcome.Unknown,
        };

    private static Outcome<AttemptResult<TReply>> Complete(
        Call<TReply> call, Endpoint endpoint, Outcome<AttemptResult<TReply>> end, TimeSpan? exceeded, AttemptOutcome outcome)
    {
        if (exceeded is { } limit && end.Exception is OperationCanceledException timeout)
        {
            var failure = new PhaseTimeoutException(
                TimeoutPhase.Attempt, limit, call.Describe(endpoint), timeout, NothingSentException.PhaseIn(timeout));
            return Outcome.FromResult(new AttemptResult<TReply>(null, outcome, failure) { FailedAt = endpoint });
        }

        return end is { Exception: null, Result.Failure: not null } ? Outcome.FromResult(end.Result with { FailedAt = endpoint }) : end;
    }
}
