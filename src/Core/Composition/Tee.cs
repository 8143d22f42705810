namespace ServiceMesh;

/// <summary>
/// Gives the output of a step to a second one as well, waits for it, and ends with the reply of the first, whatever the second did.
/// </summary>
internal sealed class Tee<TIn, TOut, TSide>(Composition<TIn, TOut> step, Composition<TOut, TSide> side)
    : Composition<TIn, TOut>(Form.Around(step.Depth, side.Depth))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await step.RunAsync(input, run.Into(0)).ConfigureAwait(false);
        if (!reply.IsSuccess)
        {
            return Form.Failed(
                this, input, reply.Failure, reply.Headers, reply.Value,
                new Tee<TIn, TOut, TSide>(Form.Left<TIn, TIn, TOut>(step, input, reply), side));
        }

        // Its failure has been reported where it happened.
        await side.RunAsync(reply.Value!, run.Into(1)).ConfigureAwait(false);
        return reply;
    }

    public override string ToString() => $"tee({step}, {side})";
}
