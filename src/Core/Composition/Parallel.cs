namespace ServiceMesh;

/// <summary>
/// Gives the same input to all steps at once, or to a bounded number at a time. Ends with all values in the order written, or with
/// the highest status and all replies.
/// </summary>
internal sealed class Parallel<TIn, TOut>(Composition<TIn, TOut>[] steps, int maxConcurrency)
    : Composition<TIn, TOut[]>(Form.AroundBranches(steps))
{
    internal override async ValueTask<Reply<TOut[]>> RunAsync(TIn input, CompositionRun run)
    {
        var replies = new Reply<TOut>[steps.Length];
        await RunAllAsync(steps, maxConcurrency, input, run, replies).ConfigureAwait(false);
        return Outcomes.Failure(replies, "parallel") is { } failure
            ? Form.Failed(this, input, failure, Outcomes.HeadersOfWorst(replies), null, Left(input, replies))
            : Reply<TOut[]>.Success(
                Array.ConvertAll(replies, reply => reply.Value!), Outcomes.HeadersOf(replies), Outcomes.HighestStatus(replies));
    }

    public override string ToString() => $"parallel({string.Join(", ", (object[])steps)})";

    /// <summary>Runs the steps with the same input, and returns when all have ended.</summary>
    public static Task RunAllAsync(
        Composition<TIn, TOut>[] steps, int maxConcurrency, TIn input, CompositionRun run, Reply<TOut>[] replies) =>
        Branches.RunAsync(
            steps.Length, maxConcurrency,
            static async (i, all) => all.replies[i] = await all.steps[i].RunAsync(all.input, all.run.Into(i)).ConfigureAwait(false),
            (steps, input, run, replies));

    private Parallel<TIn, TOut> Left(TIn input, Reply<TOut>[] replies)
    {
        var left = new Composition<TIn, TOut>[steps.Length];
        for (var i = 0; i < left.Length; i++)
        {
            left[i] = Form.Left<TIn, TIn, TOut>(steps[i], input, replies[i]);
        }

        return new(left, maxConcurrency);
    }
}
