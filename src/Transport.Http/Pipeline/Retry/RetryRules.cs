using Polly;
using Polly.Hedging;
using Polly.Retry;

namespace ServiceMesh.Http;

/// <summary>
/// Decides whether an attempt is followed by another one, and after which pause. One object for all requests of a client.
/// </summary>
internal sealed class RetryRules<TReply>(RetryBudgets budgets, Random random, ClientMetrics metrics)
    where TReply : class
{
    /// <summary>The rules for Polly's retry strategy, which runs the attempts and waits between them.</summary>
    public RetryStrategyOptions<AttemptResult<TReply>> ToRetryOptions() => new()
    {
        Name = "Retry",
        MaxRetryAttempts = int.MaxValue, // each request has its own limit
        ShouldHandle = arguments => new(ShouldRetry(Call<TReply>.Of(arguments.Context), arguments.Outcome)),
        DelayGenerator = static arguments => new(Call<TReply>.Of(arguments.Context).TakePause(arguments.Context.CancellationToken)),
    };

    /// <summary>
    /// The same rules for Polly's hedging strategy, which runs attempts at the same time: it starts another attempt if an answer takes too
    /// long. A failure waits for the attempts that are still in flight. If there are none, it goes up to the retry strategy, with its
    /// pause.
    /// </summary>
    public HedgingStrategyOptions<AttemptResult<TReply>> ToHedgingOptions() => new()
    {
        Name = "Hedge",
        MaxHedgedAttempts = 9,
        ShouldHandle = static arguments => new(IsRejected(Call<TReply>.Of(arguments.Context), arguments.Outcome)),
        DelayGenerator = static arguments => new(Call<TReply>.Of(arguments.Context).Settings.HedgeAfter ?? Timeout.InfiniteTimeSpan),
        ActionGenerator = arguments =>
            MayStartAnother(Call<TReply>.Of(arguments.PrimaryContext)) ? () => arguments.Callback(arguments.ActionContext) : null,
    };

    /// <summary>
    /// What follows the first attempt. Only after <see cref="NextStep.Move"/> and <see cref="NextStep.Retry"/> does the request enter the
    /// retry strategy, which decides the rest.
    /// </summary>
    public static NextStep AfterFirst(Call<TReply> call, Outcome<AttemptResult<TReply>> end) =>
        end.Exception is null ? After(call, end.Result) : NextStep.None;

    private bool ShouldRetry(Call<TReply> call, Outcome<AttemptResult<TReply>> end)
    {
        // An exception here is a cancellation: by the caller, or because its time is over.
        var worst = call.Hedge?.TakeWorst();
        var afterFirst = call.TakeAfterFirst();
        if (end.Exception is not null || !call.CanBeSentAgain)
        {
            return false;
        }

        // If all concurrent attempts were rejected, the result is that of the first, but the worst decides: an attempt that was declined
        // does not make up for one that may have run.
        var result = end.Result;
        var last = new RejectedResult(afterFirst ?? After(call, result), result.Outcome);
        var (next, outcome) = last.Next != NextStep.None && worst is not null && worst.IsWorseThan(last) ? worst : last;
        var isRetried = next switch
        {
            NextStep.Move => Move(call),
            NextStep.Retry => Retry(call, outcome, outcome.Kind == OutcomeKind.NotSent ? "not-sent" : "broken"),
            _ => false,
        };
        if (isRetried)
        {
            call.Discard(result);
        }

        return isRetried;
    }

    // Whether the result of one of several concurrent attempts does not count, because another may be better.
    private static bool IsRejected(Call<TReply> call, Outcome<AttemptResult<TReply>> end)
    {
        if (end.Exception is not null)
        {
            return false;
        }

        var next = After(call, end.Result);
        if (next == NextStep.None)
        {
            call.Hedge!.HasAnswer = true;
            return false;
        }

        call.Discard(end.Result);
        call.Hedge!.Reject(next, end.Result.Outcome);
        return true;
    }

    // Polly asks this if an answer takes too long, and if a result was rejected. If both happen at the same moment they are taken for
    // one: then a hedge starts a little earlier or later.
    private bool MayStartAnother(Call<TReply> call)
    {
        var hedge = call.Hedge!;
        if (hedge.TakeHasRejected())
        {
            return hedge.Worst?.Next == NextStep.Move && Move(call);
        }

        var mayHedge = hedge.Running > 0 && call.CanBeSentAgain && !hedge.HasNoToken && call.Attempts.Count < call.Settings.Attempts;
        if (!mayHedge || !Move(call))
        {
            return false;
        }

        hedge.HasNoToken = !TakeToken(call, "hedge");
        return !hedge.HasNoToken;
    }

    private static NextStep After(Call<TReply> call, AttemptResult<TReply> result) => result.Outcome.Kind switch
    {
        _ when result.Outcome.HasNoEndpoint => NextStep.Stop,
        OutcomeKind.Declined => NextStep.Move,

        // Another request took the trial of the circuit meanwhile. To choose another endpoint is not a retry; without another endpoint it
        // is as if that had been known before the choice.
        OutcomeKind.NotSent when result.Failure is CircuitOpenException => call.HasUntriedEndpoint() ? NextStep.Move : NextStep.Stop,
        OutcomeKind.NotSent => NextStep.Retry,
        var kind => call.IsRepeatable && (call.WantsRetry(result) ?? kind == OutcomeKind.Broken) ? NextStep.Retry : NextStep.None,
    };

    // The endpoint declined, so the knowledge about it was out of date. The request goes to an untried endpoint at once and without a
    // token. Each endpoint is asked at most once, so this cannot multiply the load as retries do.
    private static bool Move(Call<TReply> call)
    {
        call.Attempts.NextPause = TimeSpan.Zero;
        call.Attempts.MayReturn = false;
        if (call.HasUntriedEndpoint())
        {
            return true;
        }

        // A load balancer leads to another node each time, so what one node refuses the next one may take.
        call.Attempts.MayReturn = call.Attempts.Last is { IsMany: true } && call.Attempts.Count < call.Settings.Attempts;
        return call.Attempts.MayReturn;
    }

    private bool Retry(Call<TReply> call, AttemptOutcome outcome, string reason)
    {
        if (call.Attempts.Count >= call.Settings.Attempts)
        {
            return false;
        }

        var hasUntried = call.HasUntriedEndpoint();
        call.Attempts.MayReturn = !hasUntried;
        call.Attempts.NextPause = PauseBefore(call, outcome, hasUntried);
        return call.Attempts.NextPause < call.Remaining && TakeToken(call, reason);
    }

    // A refused connection costs nothing and says nothing about other endpoints. A server that asked its callers to wait is not asked
    // earlier, unless there is another endpoint.
    private TimeSpan PauseBefore(Call<TReply> call, AttemptOutcome outcome, bool hasUntried)
    {
        if (outcome.Kind == OutcomeKind.NotSent && hasUntried)
        {
            return TimeSpan.Zero;
        }

        var pause = Backoff.Before(call.Settings.Backoff, call.Settings.MaxBackoff, call.Attempts.Count, random.NextDouble());
        return !hasUntried && outcome.RetryAfter is { } asked && asked > pause ? asked : pause;
    }

    private bool TakeToken(Call<TReply> call, string reason)
    {
        var isTaken = budgets.Of(call.Service).TryTake();
        metrics.Retried(call.Service, isTaken ? reason : "budget-empty");
        return isTaken;
    }
}
