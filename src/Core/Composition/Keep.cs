namespace ServiceMesh;

/// <summary>A step whose input stands beside its output.</summary>
internal sealed class Keep<TIn, TOut>(Composition<TIn, TOut> step) : Composition<TIn, (TIn Input, TOut Output)>(Form.Around(step.Depth))
{
    internal override async ValueTask<Reply<(TIn Input, TOut Output)>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await step.RunAsync(input, run.Into(0)).ConfigureAwait(false);
        return reply.IsSuccess
            ? Reply<(TIn, TOut)>.Success((input, reply.Value!), reply.Headers, reply.Status)
            : Form.Failed(
                this, input, reply.Failure, reply.Headers, default,
                new Keep<TIn, TOut>(Form.Left<TIn, TIn, TOut>(step, input, reply)));
    }

    public override string ToString() => $"keep({step})";
}
