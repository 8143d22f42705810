namespace ServiceMesh;

/// <summary>A local function that executes and signals within the execution that it is a step of.</summary>
internal sealed class Step<TIn, TOut>(Func<TIn, StepContext, Task<TOut>> function, string name) : Composition<TIn, TOut>
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var context = new StepContext(run, Name);
        try
        {
            return await LocalCode.CallAsync(CallAsync, (input, context), Name, "It", run).ConfigureAwait(false) switch
            {
                // What an inner step failed with is how this step failed, and has been reported.
                { IsSuccess: true, Value.Failure: { } inner } => Reply<TOut>.Failed(
                    new(inner, notProcessed: false) { MayRunAgain = run.IsIdempotent }),
                { IsSuccess: true } reply => Reply<TOut>.Success(reply.Value.Value!),
                var failed => Reply<TOut>.Failed(failed.Failure!),
            };
        }
        finally
        {
            context.End();
        }
    }

    public override string ToString() => name;

    private async ValueTask<(TOut? Value, ReplyFailure? Failure)> CallAsync((TIn Input, StepContext Context) call, CancellationToken token)
    {
        try
        {
            return (await function(call.Input, call.Context).ConfigureAwait(false), null);
        }
        catch (ServiceMeshException failed)
        {
            return (default, failed.Failure);
        }
    }
}
