namespace ServiceMesh;

/// <summary>A function of the failure chooses what is run instead, with the same input; null lets the failure stand.</summary>
internal sealed class Recover<TIn, TOut>(Composition<TIn, TOut> step, Func<ReplyFailure, Composition<TIn, TOut>?> alternative)
    : Composition<TIn, TOut>(Form.Around(step.Depth))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var reply = await step.RunAsync(input, run.Into(0)).ConfigureAwait(false);
        if (reply.IsSuccess)
        {
            return reply;
        }

        var choice = await LocalCode.CallAsync(alternative, reply.Failure, Name, "Choosing its alternative", run).ConfigureAwait(false);
        if (!choice.IsSuccess)
        {
            var neither = new ReplyFailure(choice.Failure, reply.Failure.NotProcessed && choice.Failure.NotProcessed)
            {
                MayRunAgain = reply.Failure.MayRunAgain && choice.Failure.MayRunAgain,
            };
            return Form.Failed(this, input, neither, choice.Headers, default, Again(input, reply));
        }

        if (choice.Value is not { } instead)
        {
            return Form.Failed(this, input, reply.Failure, reply.Headers, reply.Value, Again(input, reply));
        }

        var last = await instead.RunAsync(input, run.Into(1)).ConfigureAwait(false);
        return last.IsSuccess
            ? last
            : Form.Failed(
                this, input, After(reply.Failure, last.Failure), last.Headers, last.Value, Form.Left<TIn, TIn, TOut>(instead, input, last));
    }

    public override string ToString() => $"recover({step})";

    private Recover<TIn, TOut> Again(TIn input, Reply<TOut> reply) =>
        new(Form.Left<TIn, TIn, TOut>(step, input, reply), alternative);

    private static ReplyFailure After(ReplyFailure first, ReplyFailure last) => new(last, first.NotProcessed && last.NotProcessed);
}
