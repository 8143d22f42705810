namespace ServiceMesh;

/// <summary><c>a; b</c>: the same input to each, in order; failures do not stop it; ends with the last reply.</summary>
internal sealed class Batch<TIn, TOut>(Composition<TIn, TOut>[] steps) : Composition<TIn, TOut>(Form.Around(steps))
{
    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var nothingRan = true;
        Reply<TOut> last = null!;
        for (var i = 0; i < steps.Length; i++)
        {
            last = await steps[i].RunAsync(input, run.Into(i)).ConfigureAwait(false);
            nothingRan &= last.Failure is { NotProcessed: true };
        }

        // The reply of the last step is the result, so only that step is left. It keeps its place, which its idempotency key names.
        return last.IsSuccess
            ? last
            : Form.Failed(this, input, new(last.Failure, nothingRan), last.Headers, last.Value, LastOnly(input, last));
    }

    public override string ToString() => $"batch({string.Join("; ", (object[])steps)})";

    private Batch<TIn, TOut> LastOnly(TIn input, Reply<TOut> last)
    {
        var left = new Composition<TIn, TOut>[steps.Length];
        Array.Fill(left, new Kept<TIn, TOut>(last));
        left[^1] = Form.Left<TIn, TIn, TOut>(steps[^1], input, last);
        return new(left);
    }
}
