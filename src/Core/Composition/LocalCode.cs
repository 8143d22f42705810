namespace ServiceMesh;

/// <summary>
/// Calls functions of the application: on the thread pool, so that one which keeps its thread holds up neither the caller, nor the
/// deadline, nor other branches.
/// </summary>
internal static class LocalCode
{
    /// <summary>The value of the function, or a failure that is reported: 500 with its exception, or the status that it threw.</summary>
    /// <param name="function">The application's.</param>
    /// <param name="input">What it is given.</param>
    /// <param name="step">What it is called in failures.</param>
    /// <param name="did">What is said when it throws: "It", "Its selector".</param>
    /// <param name="run">The execution.</param>
    /// <exception cref="OperationCanceledException">The caller has cancelled.</exception>
    public static async ValueTask<Reply<T>> CallAsync<TIn, T>(
        Func<TIn, CancellationToken, ValueTask<T>> function, TIn input, string step, string did, CompositionRun run)
    {
        var token = run.Token;
        if (token.IsCancellationRequested)
        {
            return run.GaveUp<T>(step, begun: false);
        }

        // Looked at again where it runs: in a busy pool the token may fire before.
        var running = Task.Run(
            () => token.IsCancellationRequested ? Task.FromCanceled<T>(token) : function(input, token).AsTask(), CancellationToken.None);
        try
        {
            var value = await running.WaitAsync(token).ConfigureAwait(false);
            return token.IsCancellationRequested ? run.GaveUp<T>(step, begun: true) : Reply<T>.Success(value);
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            Forget(running);
            return run.GaveUp<T>(step, begun: true);
        }
        catch (Exception failure)
        {
            return run.Failed<T>(Failed(failure, step, did, run));
        }
    }

    /// <summary>The same for a function that does not wait.</summary>
    public static ValueTask<Reply<T>> CallAsync<TIn, T>(Func<TIn, T> function, TIn input, string step, string did, CompositionRun run) =>
        CallAsync((value, _) => new ValueTask<T>(function(value)), input, step, did, run);

    private static ReplyFailure Failed(Exception failure, string step, string did, CompositionRun run) => failure switch
    {
        ReplyException refusal => new(refusal.Status, step, refusal.Message)
        {
            Exception = refusal,
            IsOfHandler = true,
            MayRunAgain = run.IsIdempotent,
        },
        _ => new(StatusCode.HandlerFailed, step, $"{did} threw {ExceptionText.Brief(failure)}")
        {
            Exception = failure,
            MayRunAgain = run.IsIdempotent,
        },
    };

    // It runs on after time is up, and nothing waits for how it ends.
    private static void Forget(Task running) => _ = running.ContinueWith(
        static ended => _ = ended.Exception,
        CancellationToken.None,
        TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
        TaskScheduler.Default);
}
