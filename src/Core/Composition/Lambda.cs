namespace ServiceMesh;

/// <summary>A local function as a step: its value, or 500 with its exception.</summary>
internal sealed class Lambda<TIn, TOut>(Func<TIn, CancellationToken, ValueTask<TOut>> function, string name) : Composition<TIn, TOut>
{
    internal override bool RunsLocalCode => true;

    internal override async ValueTask<Reply<TOut>> RunAsync(TIn input, CompositionRun run)
    {
        var token = run.Token;
        if (token.IsCancellationRequested)
        {
            return run.GaveUp<TOut>(name, begun: false);
        }

        try
        {
            var running = function(input, token);
            var value = running.IsCompleted
                ? await running.ConfigureAwait(false)
                : await running.AsTask().WaitAsync(token).ConfigureAwait(false);
            return token.IsCancellationRequested ? run.GaveUp<TOut>(name, begun: true) : Reply<TOut>.Success(value);
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            return run.GaveUp<TOut>(name, begun: true);
        }
        catch (Exception failure)
        {
            return run.Failed<TOut>(new(StatusCode.HandlerFailed, name, $"It threw {ExceptionText.Brief(failure)}")
            {
                Exception = failure,
            });
        }
    }

    public override string ToString() => name;
}
