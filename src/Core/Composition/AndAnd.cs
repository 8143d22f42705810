namespace ServiceMesh;

/// <summary><c>a &amp;&amp; b</c>: the same input to each, in order; stops at the first failure.</summary>
internal sealed class AndAnd<TIn, TFirst, TOut>(Composition<TIn, TFirst> first, Composition<TIn, TOut> second)
    : Composition<TIn, TOut>(Form.Around(first.Depth, second.Depth))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await first.RunAsync(input, run.Into(0)).ConfigureAwait(false);
        if (!reply.IsSuccess)
        {
            return Form.Failed(
                this, input, reply.Failure, reply.Headers, default,
                new AndAnd<TIn, TFirst, TOut>(Form.Left<TIn, TIn, TFirst>(first, input, reply), second));
        }

        var last = await second.RunAsync(input, run.Into(1)).ConfigureAwait(false);
        return last.IsSuccess
            ? last
            : Form.Failed(
                this, input, new(last.Failure, notProcessed: false), last.Headers, last.Value,
                new AndAnd<TIn, TFirst, TOut>(new Kept<TIn, TFirst>(reply), Form.Left<TIn, TIn, TOut>(second, input, last)));
    }

    public override string ToString() => $"({first} && {second})";
}
