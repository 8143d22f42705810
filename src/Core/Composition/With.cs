namespace ServiceMesh;

/// <summary>A step with options of its own: a timeout within the deadline of the whole, headers beside those of the whole.</summary>
internal sealed class With<TIn, TOut>(Composition<TIn, TOut> step, RequestOptions options, string name)
    : Composition<TIn, TOut>(Form.Around(step.Depth))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        CompositionRun part;
        try
        {
            part = run.Nest(options);
        }
        catch (ArgumentException tooMany)
        {
            return run.Failed<TOut>(new(StatusCode.BadRequest, Name, tooMany.Message, notProcessed: true) { Exception = tooMany });
        }

        using (part)
        {
            var reply = await step.RunAsync(input, part.Into(0)).ConfigureAwait(false);
            return reply.IsSuccess
                ? reply
                : Form.Failed(
                    this, input, reply.Failure, reply.Headers, reply.Value,
                    new With<TIn, TOut>(Form.Left<TIn, TIn, TOut>(step, input, reply), options, name));
        }
    }

    public override string ToString() => $"{name}({step})";
}
