namespace ServiceMesh;

/// <summary>A batch that keeps every reply. It succeeds itself, unless time is up: what failed stands in its replies.</summary>
internal sealed class Record<TIn, TOut>(Composition<TIn, TOut>[] steps) : Composition<TIn, Reply<TOut>[]>(Form.Around(steps))
{
    internal override async ValueTask<Reply<Reply<TOut>[]>> RunAsync(TIn input, CompositionRun run)
    {
        var replies = new Reply<TOut>[steps.Length];
        for (var i = 0; i < steps.Length; i++)
        {
            replies[i] = await steps[i].RunAsync(input, run.Into(i)).ConfigureAwait(false);
        }

        return Outcomes.All(this, input, replies, run);
    }

    public override string ToString() => $"record({string.Join("; ", (object[])steps)})";
}
