namespace ServiceMesh;

/// <summary>Fixed values merged into the input of a step, whatever comes in.</summary>
internal sealed class Merge<TIn, TOut>(Func<TIn, TIn> merge, Composition<TIn, TOut> step)
    : Composition<TIn, TOut>(Form.Around(step.Depth))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var merged = await LocalCode.CallAsync(merge, input, Name, "Merging into its input", run).ConfigureAwait(false);
        if (!merged.IsSuccess)
        {
            return Reply<TOut>.Failed(merged.Failure);
        }

        // A merge only makes another input: it does not count as something that ran.
        var reply = await step.RunAsync(merged.Value!, run.Into(0)).ConfigureAwait(false);
        return reply.IsSuccess
            ? reply
            : Form.Failed(
                this, input, reply.Failure, reply.Headers, reply.Value, Form.Left<TIn, TIn, TOut>(step, merged.Value!, reply));
    }

    public override string ToString() => $"merge({step})";
}
