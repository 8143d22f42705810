namespace ServiceMesh;

/// <summary><c>a &amp;&amp; b</c>: the same input to each, in order; stops at the first failure.</summary>
internal sealed class AndAnd<TIn, TFirst, TOut>(Composition<TIn, TFirst> first, Composition<TIn, TOut> second) : Composition<TIn, TOut>
{
    internal override bool RunsLocalCode => first.RunsLocalCode || second.RunsLocalCode;

    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await first.RunAsync(input, run).ConfigureAwait(false);
        return reply.IsSuccess
            ? Form.Whole(await second.RunAsync(input, run).ConfigureAwait(false))
            : Reply<TOut>.Failed(reply.Failure, reply.Headers);
    }

    public override string ToString() => $"({first} && {second})";
}
