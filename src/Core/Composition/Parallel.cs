namespace ServiceMesh;

/// <summary>
/// Gives the same input to all steps at once, or to a bounded number at a time. Ends with all values in the order written, or with
/// the highest status and all replies.
/// </summary>
internal sealed class Parallel<TIn, TOut>(Composition<TIn, TOut>[] steps, int maxConcurrency) : Composition<TIn, TOut[]>
{
    // It starts its local steps on the pool itself.
    internal override bool RunsLocalCode => false;

    internal override async ValueTask<Reply<TOut[]>> RunAsync(TIn input, CompositionRun run)
    {
        var replies = new Reply<TOut>[steps.Length];
        if (maxConcurrency >= steps.Length)
        {
            await RunAllAsync(input, run, replies).ConfigureAwait(false);
        }
        else
        {
            await RunBoundedAsync(input, run, replies).ConfigureAwait(false);
        }

        return Join(replies);
    }

    public override string ToString() => $"parallel({string.Join(", ", (object[])steps)})";

    private async Task RunAllAsync(TIn input, CompositionRun run, Reply<TOut>[] replies)
    {
        var running = new Task<Reply<TOut>>[steps.Length];
        for (var i = 0; i < steps.Length; i++)
        {
            var step = steps[i];
            running[i] = step.RunsLocalCode
                ? Task.Run(() => step.RunAsync(input, run).AsTask(), CancellationToken.None)
                : step.RunAsync(input, run).AsTask();
        }

        // The result waits for all branches: a branch must not outlive the call that it belongs to.
        await Task.WhenAll(running).ConfigureAwait(false);
        for (var i = 0; i < running.Length; i++)
        {
            replies[i] = await running[i].ConfigureAwait(false);
        }
    }

    private async Task RunBoundedAsync(TIn input, CompositionRun run, Reply<TOut>[] replies)
    {
        var next = -1;
        var workers = new Task[maxConcurrency];
        for (var i = 0; i < workers.Length; i++)
        {
            workers[i] = Task.Run(WorkAsync, CancellationToken.None);
        }

        await Task.WhenAll(workers).ConfigureAwait(false);

        async Task WorkAsync()
        {
            for (var i = Interlocked.Increment(ref next); i < steps.Length; i = Interlocked.Increment(ref next))
            {
                replies[i] = await steps[i].RunAsync(input, run).ConfigureAwait(false);
            }
        }
    }

    private Reply<TOut[]> Join(Reply<TOut>[] replies)
    {
        var failed = replies.Count(r => !r.IsSuccess);
        if (failed == 0)
        {
            return Reply<TOut[]>.Success(Array.ConvertAll(replies, r => r.Value!), status: replies.Max(r => r.Status));
        }

        var worst = replies.MaxBy(r => r.Status)!.Failure!;
        return Reply<TOut[]>.Failed(new(
            worst.Status,
            worst.Step,
            $"{failed} of {steps.Length} parallel steps failed; the highest status is that of '{worst.Step}': {worst.Message}",
            worst.NotProcessed)
        {
            Exception = worst.Exception,
            Parts = replies,
        });
    }
}
