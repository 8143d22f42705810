namespace ServiceMesh;

/// <summary>
/// Runs what is left of a step again when it failed, and only when nothing of that may not run twice.
/// </summary>
internal sealed class Retry<TIn, TOut>(Composition<TIn, TOut> step, RetryRule rule) : Composition<TIn, TOut>(Form.Around(step.Depth))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var attempt = run.Into(0);
        var reply = await step.RunAsync(input, attempt).ConfigureAwait(false);
        var nothingRan = true;
        for (var attempts = 1; !reply.IsSuccess; attempts++)
        {
            nothingRan &= reply.Failure.NotProcessed;
            var again = attempts < rule.Attempts
                ? await WaitAsync(reply.Failure, attempts, run).ConfigureAwait(false)
                : Reply<bool>.Success(false);
            if (again is not { IsSuccess: true, Value: true })
            {
                var failure = again.Failure ?? reply.Failure;
                return Form.Failed(
                    this, input, new(failure, nothingRan && failure.NotProcessed), reply.Headers, reply.Value,
                    new Retry<TIn, TOut>(Form.Left<TIn, TIn, TOut>(step, input, reply), rule));
            }

            reply = await Form.Left(step, input, reply.Remainder).RunAsync(attempt).ConfigureAwait(false);
        }

        return reply;
    }

    public override string ToString() => $"retry({step})";

    // True when it is time for another attempt, false when there is none, and a failure when the application's rule threw.
    private async ValueTask<Reply<bool>> WaitAsync(ReplyFailure failure, int attempts, CompositionRun run)
    {
        if (!failure.MayRunAgain || run.Token.IsCancellationRequested)
        {
            return Reply<bool>.Success(false);
        }

        var wanted = rule.When is null
            ? Reply<bool>.Success(RetryRule.IsTransient(failure.Status))
            : await LocalCode.CallAsync(rule.When, failure, Name, "Its rule", run).ConfigureAwait(false);
        if (!wanted.IsSuccess || !wanted.Value)
        {
            return wanted;
        }

        var pause = rule.PauseAfter(attempts, failure.RetryAfter);
        if (pause >= run.Remaining)
        {
            return Reply<bool>.Success(false);
        }

        if (pause > TimeSpan.Zero)
        {
            await Task.Delay(pause, run.Clock, run.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // Throws when it was the caller that ended the pause.
        return run.Token.IsCancellationRequested ? run.GaveUp<bool>(Name, begun: true) : Reply<bool>.Success(true);
    }
}

/// <summary>When a step runs again, and after how long.</summary>
internal sealed record RetryRule(int Attempts, TimeSpan Pause, Func<ReplyFailure, bool>? When)
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(1);

    /// <summary>A failure that may be gone in a moment: a timeout, an overload, or something that is away.</summary>
    public static bool IsTransient(StatusCode status) =>
        (int)status is 408 or 429 or 499 or 502 or 503 or 504;

    /// <summary>The pause doubles with each attempt, and is not shorter than the other side asked for.</summary>
    public TimeSpan PauseAfter(int attempts, TimeSpan? retryAfter)
    {
        var pause = Pause.TotalSeconds * Math.Pow(2, attempts - 1);
        var own = pause < s_longest.TotalSeconds ? TimeSpan.FromSeconds(pause) : s_longest;
        return retryAfter > own ? retryAfter.Value : own;
    }
}
