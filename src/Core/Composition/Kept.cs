namespace ServiceMesh;

/// <summary>In a form that is resumed: the reply that a step gave before, whatever the input.</summary>
internal sealed class Kept<TIn, TOut>(Reply<TOut> reply) : Composition<TIn, TOut>
{
    internal override ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run) => new(reply);

    public override string ToString() => reply.IsSuccess ? "done" : "failed";
}

/// <summary>In a form that is resumed: what is left of a step, whose input is known.</summary>
internal sealed class Resumed<TIn, TOut>(Remainder<TOut> left) : Composition<TIn, TOut>
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await left.RunAsync(run).ConfigureAwait(false);
        return reply.IsSuccess
            ? reply
            : Form.Failed(this, input, reply.Failure, reply.Headers, reply.Value, new Resumed<TIn, TOut>(reply.Remainder!.FailedPart));
    }

    public override string ToString() => left.Remaining;
}
