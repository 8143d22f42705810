namespace ServiceMesh;

/// <summary><c>a || b</c>: the same input to each, in order; stops at the first success.</summary>
internal sealed class OrOr<TIn, TOut>(Composition<TIn, TOut> first, Composition<TIn, TOut> second)
    : Composition<TIn, TOut>(Form.Around(first.Depth, second.Depth))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await first.RunAsync(input, run.Into(0)).ConfigureAwait(false);
        if (reply.IsSuccess)
        {
            return reply;
        }

        var last = await second.RunAsync(input, run.Into(1)).ConfigureAwait(false);
        if (last.IsSuccess)
        {
            return last;
        }

        var failure = new ReplyFailure(last.Failure, reply.Failure.NotProcessed && last.Failure.NotProcessed)
        {
            MayRunAgain = reply.Failure.MayRunAgain && last.Failure.MayRunAgain,
        };
        return Form.Failed(
            this, input, failure, last.Headers, last.Value,
            new OrOr<TIn, TOut>(Form.Left<TIn, TIn, TOut>(first, input, reply), Form.Left<TIn, TIn, TOut>(second, input, last)));
    }

    public override string ToString() => $"({first} || {second})";
}
