using Polly;
using Polly.Hedging;
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

    /// <summary>
    /// The same rules for attempts that run beside each other, as Polly's hedging strategy wants them. It starts another one
    /// while an answer is awaited for too long. A failure waits for those that are still under way, and when there is none it is
    /// handed up to be retried like any other, with its pause.
    /// </summary>
    public HedgingStrategyOptions<Answer<TReply>> ToHedgingOptions() => new()
    {
        Name = "Hedge",
        MaxHedgedAttempts = 9,
        ShouldHandle = static arguments => new(IsPassedOver(Call<TReply>.Of(arguments.Context), arguments.Outcome)),
        DelayGenerator = static arguments => new(Call<TReply>.Of(arguments.Context).Settings.HedgeAfter ?? Timeout.InfiniteTimeSpan),
        ActionGenerator = arguments => MayJoin(Call<TReply>.Of(arguments.PrimaryContext)) ? () => arguments.Callback(arguments.ActionContext) : null,
    };

    private bool ShouldRetry(Call<TReply> call, Outcome<Answer<TReply>> outcome)
    {
        // Without an answer it was cancelled, by the caller or by the end of its time.
        var worst = call.TakeWorst();
        if (outcome.Exception is not null || !call.CanBeSentAgain)
        {
            return false;
        }

        // Of attempts beside each other that were all passed over, the outcome is that of the first, but the worst decides: one that
        // was declined does not make up for one that may have run.
        var answer = outcome.Result;
        var last = new PassedOver(After(call, answer), answer.Verdict);
        var (next, verdict) = last.Next != NextAttempt.None && worst is not null && worst.IsWorseThan(last) ? worst : last;
        var isRetried = next switch
        {
            NextAttempt.Moves => Moves(call),
            NextAttempt.Retries => Retries(call, verdict, verdict.Result == AttemptResult.NotSent ? "not-sent" : "broken"),
            _ => false,
        };
        if (isRetried)
        {
            call.Discard(answer);
        }

        return isRetried;
    }

    // Whether the answer of one of several attempts does not count, because there may be a better one.
    private static bool IsPassedOver(Call<TReply> call, Outcome<Answer<TReply>> outcome)
    {
        if (outcome.Exception is not null)
        {
            return false;
        }

        var next = After(call, outcome.Result);
        if (next == NextAttempt.None)
        {
            call.HasAnswer = true;
            return false;
        }

        call.Discard(outcome.Result);
        call.PassOver(next, outcome.Result.Verdict);
        return true;
    }

    // Asked when there was no answer for too long, and when one was passed over. When both happen at one moment they are taken for
    // one: a hedge then starts a little earlier or later.
    private bool MayJoin(Call<TReply> call)
    {
        if (call.TakeHasPassedOver())
        {
            return call.Worst?.Next == NextAttempt.Moves && Moves(call);
        }

        if (call is not { Running: > 0, IsRepeatable: true, CanBeSentAgain: true, HasNoTokenToHedge: false } || call.Attempts >= call.Settings.Attempts || !Moves(call))
        {
            return false;
        }

        call.HasNoTokenToHedge = !TakeToken(call, "hedge");
        return !call.HasNoTokenToHedge;
    }

    private static NextAttempt After(Call<TReply> call, Answer<TReply> answer) => answer.Verdict.Result switch
    {
        _ when answer.FoundNobody => NextAttempt.Ends,
        AttemptResult.Declined => NextAttempt.Moves,

        // Another request took the trial of the circuit in between: choosing somebody else is no retry. When there is nobody else it
        // is as if that had been known before the choice.
        AttemptResult.NotSent when answer.Failure is CircuitOpenException => call.HasAnother() ? NextAttempt.Moves : NextAttempt.Ends,
        AttemptResult.NotSent => NextAttempt.Retries,
        var result => call.IsRepeatable && (call.WantsRetry(answer) ?? result == AttemptResult.Broken) ? NextAttempt.Retries : NextAttempt.None,
    };

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
        if (call.Attempts >= call.Settings.Attempts)
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

        var pause = Backoff.Before(call.Settings.Backoff, call.Settings.MaxBackoff, call.Attempts, random.NextDouble());
        return !hasAnother && verdict.RetryAfter is { } asked && asked > pause ? asked : pause;
    }

    private bool TakeToken(Call<TReply> call, string reason)
    {
        var isTaken = budget.TryTake();
        metrics.Retried(call.Service, isTaken ? reason : "budget-empty");
        return isTaken;
    }
}

/// <summary>What follows an answer, and the more of it the worse.</summary>
internal enum NextAttempt
{
    /// <summary>It counts.</summary>
    None,

    /// <summary>It does not count beside others that are under way; alone it does, because nobody else can be asked.</summary>
    Ends,

    /// <summary>Nothing ran: somebody else is asked, at once and for no token.</summary>
    Moves,

    /// <summary>It is sent again, after a pause and for a token.</summary>
    Retries,
}

/// <summary>An answer of attempts beside each other that was passed over, as far as it matters to what follows them.</summary>
internal sealed record PassedOver(NextAttempt Next, Verdict Verdict)
{
    // What may have run is worse than what was not sent: it is not sent again without a pause.
    public bool IsWorseThan(PassedOver other) => Next != other.Next
        ? Next > other.Next
        : Verdict.Result != AttemptResult.NotSent && other.Verdict.Result == AttemptResult.NotSent;
}
