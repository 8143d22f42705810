namespace ServiceMesh;

/// <summary>Fixed values merged into the input of a step, whatever comes in.</summary>
internal sealed class Merge<TIn, TOut>(Func<TIn, TIn> merge, Composition<TIn, TOut> step) : Composition<TIn, TOut>
{
    internal override bool RunsLocalCode => true;

    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        TIn merged;
        try
        {
            merged = merge(input);
        }
        catch (Exception failure)
        {
            return run.Failed<TOut>(new(
                StatusCode.HandlerFailed, ToString(), $"Merging into its input threw {ExceptionText.Brief(failure)}")
            {
                Exception = failure,
            });
        }

        return Form.Whole(await step.RunAsync(merged, run).ConfigureAwait(false));
    }

    public override string ToString() => $"merge({step})";
}
