namespace ServiceMesh;

/// <summary>A function of the input chooses the step that is given the input.</summary>
internal sealed class Choose<TIn, TOut>(Func<TIn, Composition<TIn, TOut>?> selector, string name) : Composition<TIn, TOut>
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var choice = await LocalCode.CallAsync(selector, input, Name, "Its selector", run).ConfigureAwait(false);
        if (!choice.IsSuccess)
        {
            return Reply<TOut>.Failed(choice.Failure);
        }

        if (choice.Value is not { } chosen)
        {
            return run.Failed<TOut>(new(
                StatusCode.HandlerFailed, Name, "Its selector returned null. Return a composition for each input; Compose.Fail is one."));
        }

        // A selector only looks at the input: it does not count as something that ran.
        var reply = await chosen.RunAsync(input, run.Into(0)).ConfigureAwait(false);
        return reply.IsSuccess
            ? reply
            : Form.Failed(this, input, reply.Failure, reply.Headers, reply.Value, Form.Left<TIn, TIn, TOut>(chosen, input, reply));
    }

    public override string ToString() => name;
}
