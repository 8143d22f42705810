namespace ServiceMesh;

/// <summary>
/// Gives the same input to all steps at once. Ends with the first success and cancels the others, or with the highest status and all
/// replies.
/// </summary>
internal sealed class Race<TIn, TOut>(Composition<TIn, TOut>[] steps) : Composition<TIn, TOut>(Form.AroundBranches(steps))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        // The branches have a token of their own, which fires for the losers.
        using var race = run.Nest(null);
        var running = new Task<Reply<TOut>>[steps.Length];
        for (var i = 0; i < running.Length; i++)
        {
            running[i] = StartAsync(steps[i], input, race.Into(i));
        }

        var winner = await FirstSuccessAsync(running).ConfigureAwait(false);
        if (winner is not null)
        {
            // What a callback on the token throws is the business of the branch that registered it.
            await race.LoseAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // The losers end before the whole does, so that none outlives the call.
        var all = Task.WhenAll(running);
        await ((Task)all).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return winner ?? Failed(input, await all.ConfigureAwait(false));
    }

    public override string ToString() => $"race({string.Join(", ", (object[])steps)})";

    private static async Task<Reply<TOut>> StartAsync(Composition<TIn, TOut> step, TIn input, CompositionRun run) =>
        await step.RunAsync(input, run).ConfigureAwait(false);

    // Null when none succeeds. What a branch throws is the caller's cancellation, and is thrown when all have ended.
    private static async Task<Reply<TOut>?> FirstSuccessAsync(Task<Reply<TOut>>[] running)
    {
        await foreach (var ended in Task.WhenEach(running).ConfigureAwait(false))
        {
            if (ended.IsCompletedSuccessfully && await ended.ConfigureAwait(false) is { IsSuccess: true } reply)
            {
                return reply;
            }
        }

        return null;
    }

    private Reply<TOut> Failed(TIn input, Reply<TOut>[] replies)
    {
        var left = new Composition<TIn, TOut>[steps.Length];
        for (var i = 0; i < left.Length; i++)
        {
            left[i] = Form.Left<TIn, TIn, TOut>(steps[i], input, replies[i]);
        }

        return Form.Failed(
            this, input, Outcomes.Failure(replies, "racing")!, Outcomes.HeadersOfWorst(replies), default, new Race<TIn, TOut>(left));
    }
}
