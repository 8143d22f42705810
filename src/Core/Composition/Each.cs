namespace ServiceMesh;

/// <summary>
/// One step for each item of a list, a bounded number at a time. Ends with all values in the order of the list, or with the highest
/// status and all replies.
/// </summary>
internal sealed class Each<TItem, TOut>(Composition<TItem, TOut> step, int maxConcurrency)
    : Composition<TItem[], TOut[]>(Form.AroundBranches(step.Depth))
{
    internal override async ValueTask<Reply<TOut[]>> RunAsync(TItem[] input, CompositionRun run)
    {
        if (input is null)
        {
            return run.Failed<TOut[]>(NoList(Name));
        }

        var replies = new Reply<TOut>[input.Length];
        await RunAllAsync(step, maxConcurrency, input, run, replies).ConfigureAwait(false);
        return Outcomes.Failure(replies, "item") is { } failure
            ? Form.Failed(this, input, failure, Outcomes.HeadersOfWorst(replies), null, Left(input, replies))
            : Reply<TOut[]>.Success(
                Array.ConvertAll(replies, reply => reply.Value!), Outcomes.HeadersOf(replies), Outcomes.HighestStatus(replies));
    }

    public override string ToString() => $"each({step})";

    /// <summary>Runs the step for all items, and returns when all have ended.</summary>
    public static Task RunAllAsync(
        Composition<TItem, TOut> step, int maxConcurrency, TItem[] items, CompositionRun run, Reply<TOut>[] replies) =>
        Branches.RunAsync(
            items.Length, maxConcurrency,
            static async (i, all) => all.replies[i] = await all.step.RunAsync(all.items[i], all.run.Into(i)).ConfigureAwait(false),
            (step, items, run, replies));

    public static ReplyFailure NoList(string name) =>
        new(StatusCode.HandlerFailed, name, "It was given null instead of a list.", notProcessed: true);

    private Parallel<TItem[], TOut> Left(TItem[] input, Reply<TOut>[] replies)
    {
        var left = new Composition<TItem[], TOut>[input.Length];
        for (var i = 0; i < left.Length; i++)
        {
            left[i] = Form.Left<TItem[], TItem, TOut>(step, input[i], replies[i]);
        }

        return new(left, maxConcurrency);
    }
}

/// <summary>The same with every reply. It succeeds itself, unless time is up: what failed stands in its replies.</summary>
internal sealed class EachSettled<TItem, TOut>(Composition<TItem, TOut> step, int maxConcurrency)
    : Composition<TItem[], Reply<TOut>[]>(Form.AroundBranches(step.Depth))
{
    internal override async ValueTask<Reply<Reply<TOut>[]>> RunAsync(TItem[] input, CompositionRun run)
    {
        if (input is null)
        {
            return run.Failed<Reply<TOut>[]>(Each<TItem, TOut>.NoList(Name));
        }

        var replies = new Reply<TOut>[input.Length];
        await Each<TItem, TOut>.RunAllAsync(step, maxConcurrency, input, run, replies).ConfigureAwait(false);
        return Outcomes.All(this, input, replies, run);
    }

    public override string ToString() => $"each settled({step})";
}
