using Polly;
using Polly.Retry;

namespace ServiceMesh.Http;

/// <summary>Whether an attempt is followed by another one, and after which pause. One for all requests of a client.</summary>
internal sealed class RetryRules<TReply>(RetryBudget budget, Random random, ClientMetrics metrics)
    where TReply : class
{
    /// <summary>The rules as Polly's retry strategy wants them, which runs the attempts and waits between them.</summary>
    public RetryStrategyOptions<Answer<TReply>> ToOptions() => new()
    {
        Name = "Retry",
        MaxRetryAttempts = int.MaxValue, // how many is the request's own affair
        ShouldHandle = arguments => new(ShouldRetry(Call<TReply>.Of(arguments.Context), arguments.Outcome)),
        DelayGenerator = static arguments => new(Call<TReply>.Of(arguments.Context).NextPause),
    };

    /// <summary>Whether a hedge may join the attempts that are under way.</summary>
    public bool MayHedge(Call<TReply> call) =>
        call.IsRepeatable && call.CanBeSentAgain && call.Attempts < call.Settings.Attempts && call.HasAnother() && TakeToken(call, "hedge");

    private bool ShouldRetry(Call<TReply> call, Outcome<Answer<TReply>> outcome)
    {
        // Without an answer it was cancelled, by the caller or by the end of its time.
        if (outcome.Exception is not null || call.IsExhausted || !call.CanBeSentAgain)
        {
            return false;
        }

        var answer = outcome.Result;
        var isRetried = answer.Verdict.Result switch
        {
            AttemptResult.Declined => Moves(call),

            // Another request took the trial of the circuit in between: choosing somebody else is no retry.
            AttemptResult.NotSent when answer.Failure is CircuitOpenException && call.HasAnother() => Moves(call),
            AttemptResult.NotSent => Retries(call, answer.Verdict, "not-sent"),
            var result => call.IsRepeatable && (call.WantsRetry(answer) ?? result == AttemptResult.Broken) && Retries(call, answer.Verdict, "broken"),
        };
        if (isRetried)
        {
            call.Discard(answer);
        }

        return isRetried;
    }

    // The endpoint said that it does not take it: our picture of it was old. It goes to another that was not asked, at once
    // and for nothing; each is asked once at most, so this cannot multiply the load as retries do.
    private static bool Moves(Call<TReply> call)
    {
        call.NextPause = TimeSpan.Zero;
        call.MayReturn = false;
        return call.HasAnother();
    }

    private bool Retries(Call<TReply> call, Verdict verdict, string reason)
    {
        if (call.Attempts >= call.Settings.Attempts || call.Attempts == 0)
        {
            return false;
        }

        var hasAnother = call.HasAnother();
        call.MayReturn = !hasAnother;
        call.NextPause = PauseBefore(call, verdict, hasAnother);
        return call.NextPause < call.Remaining && TakeToken(call, reason);
    }

    // A connection that was refused costs nothing and says nothing of the others. Whoever asked to be left alone is,
    // unless there is somebody else.
    private TimeSpan PauseBefore(Call<TReply> call, Verdict verdict, bool hasAnother)
    {
        if (verdict.Result == AttemptResult.NotSent && hasAnother)
        {
            return TimeSpan.Zero;
        }

        var pause = Backoff.Before(call.Settings.Backoff, call.Settings.LongestBackoff, call.Attempts, random.NextDouble());
        return !hasAnother && verdict.RetryAfter is { } asked && asked > pause ? asked : pause;
    }

    private bool TakeToken(Call<TReply> call, string reason)
    {
        var isTaken = budget.TryTake();
        metrics.Retried(call.Service, isTaken ? reason : "budget-empty");
        return isTaken;
    }
}
