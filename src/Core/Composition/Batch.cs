namespace ServiceMesh;

/// <summary><c>a; b</c>: the same input to each, in order; failures do not stop it; ends with the last reply.</summary>
internal sealed class Batch<TIn, TOut>(Composition<TIn, TOut>[] steps) : Composition<TIn, TOut>
{
    internal override bool RunsLocalCode => Array.Exists(steps, s => s.RunsLocalCode);

    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        Reply<TOut>? last = null;
        foreach (var step in steps)
        {
            last = await step.RunAsync(input, run).ConfigureAwait(false);
        }

        return Form.Whole(last!);
    }

    public override string ToString() => $"batch({string.Join("; ", (object[])steps)})";
}

/// <summary>A batch that keeps every reply. It succeeds itself: what failed stands in its replies.</summary>
internal sealed class RecordedBatch<TIn, TOut>(Composition<TIn, TOut>[] steps) : Composition<TIn, Reply<TOut>[]>
{
    internal override bool RunsLocalCode => Array.Exists(steps, s => s.RunsLocalCode);

    internal override async ValueTask<Reply<Reply<TOut>[]>> RunAsync(TIn input, CompositionRun run)
    {
        var replies = new Reply<TOut>[steps.Length];
        for (var i = 0; i < steps.Length; i++)
        {
            replies[i] = await steps[i].RunAsync(input, run).ConfigureAwait(false);
        }

        return Reply<Reply<TOut>[]>.Success(replies);
    }

    public override string ToString() => $"record({string.Join("; ", (object[])steps)})";
}
