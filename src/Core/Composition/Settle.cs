namespace ServiceMesh;

/// <summary>A parallel that keeps every reply. It succeeds itself, unless time is up: what failed stands in its replies.</summary>
internal sealed class Settle<TIn, TOut>(Composition<TIn, TOut>[] steps, int maxConcurrency)
    : Composition<TIn, Reply<TOut>[]>(Form.AroundBranches(steps))
{
    internal override async ValueTask<Reply<Reply<TOut>[]>> RunAsync(TIn input, CompositionRun run)
    {
        var replies = new Reply<TOut>[steps.Length];
        await Parallel<TIn, TOut>.RunAllAsync(steps, maxConcurrency, input, run, replies).ConfigureAwait(false);
        return Outcomes.All(this, input, replies, run);
    }

    public override string ToString() => $"settle({string.Join(", ", (object[])steps)})";
}
